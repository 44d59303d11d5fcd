//! From the words of a template to its parts.
//!
//! Upstream: Go's `text/template/parse/parse.go`.

use std::collections::BTreeMap;

use super::Mistake;
use super::lex::{Item, Word};

/// Nobody nests deeper; the stack would end.
pub(super) const MAX_DEPTH: usize = 100;

#[derive(Debug)]
pub(super) enum Part {
    Text(String),
    Action(Pipe),
    If(Branch),
    Range(Branch),
    With(Branch),
    Template { at: usize, name: String, text: String, pipe: Option<Pipe> },
    Break,
    Continue,
}

#[derive(Debug)]
pub(super) struct Branch {
    pub(super) pipe: Pipe,
    pub(super) body: Vec<Part>,
    pub(super) otherwise: Vec<Part>,
}

/// `$x := a | b`.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    pub(super) variables: Vec<String>,
    /// `=` instead of `:=`.
    pub(super) assigns: bool,
    pub(super) commands: Vec<Vec<Operand>>,
}

/// A word of a command, where it stands, and how Go prints it.
#[derive(Debug)]
pub(super) struct Operand {
    pub(super) at: usize,
    pub(super) text: String,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    Dot,
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Variable(String, Vec<String>),
    Fields(Vec<String>),
    Pipe(Pipe, Vec<String>),
    Function(String),
}

impl Pipe {
    /// As Go prints it.
    pub(super) fn text(&self) -> String {
        let commands: Vec<String> = self.commands.iter().map(|it| text_of(it)).collect();
        let commands = commands.join(" | ");
        let sign = if self.assigns { "=" } else { ":=" };
        match self.variables.is_empty() {
            true => commands,
            false => format!("{} {sign} {commands}", self.variables.join(", ")),
        }
    }
}

/// A command as Go prints it.
pub(super) fn text_of(command: &[Operand]) -> String {
    let texts: Vec<&str> = command.iter().map(|it| it.text.as_str()).collect();
    texts.join(" ")
}

/// The templates of a text by name; that without a name is the text itself.
pub(super) type Templates = BTreeMap<String, Vec<Part>>;

pub(super) fn parse(template: &str, items: Vec<Item>) -> Result<Templates, Mistake> {
    let mut parser = Parser {
        template,
        items,
        next: 0,
        variables: vec!["$".to_owned()],
        n_ranges: 0,
        depth: 0,
        templates: Templates::new(),
    };
    let (parts, end) = parser.list()?;
    if let Some(end) = end {
        return parser.fail(format!("unexpected {}", end.text()));
    }
    parser.templates.insert(String::new(), parts);
    Ok(parser.templates)
}

/// What ends a list.
enum End {
    End,
    /// With what follows: `if` or `with`.
    Else(Option<bool>),
}

impl End {
    fn text(&self) -> &'static str {
        match self {
            Self::End => "{{end}}",
            Self::Else(_) => "{{else}}",
        }
    }
}

/// How control goes.
#[derive(Clone, Copy, PartialEq)]
enum Control {
    If,
    Range,
    With,
}

pub(super) struct Parser<'a> {
    template: &'a str,
    pub(super) items: Vec<Item>,
    pub(super) next: usize,
    /// Those that may be named here.
    pub(super) variables: Vec<String>,
    n_ranges: usize,
    pub(super) depth: usize,
    templates: Templates,
}

impl Parser<'_> {
    pub(super) fn fail<T>(&self, why: impl Into<String>) -> Result<T, Mistake> {
        let at = self.items.get(self.next.saturating_sub(1)).map_or(0, |it| it.at);
        Err(Mistake::at(self.template, at, why))
    }

    pub(super) fn peek(&self) -> Option<&Word> {
        self.items.get(self.next).map(|it| &it.word)
    }

    pub(super) fn take(&mut self) -> Option<Item> {
        self.next += 1;
        self.items.get(self.next - 1).cloned()
    }

    pub(super) fn skip_blank(&mut self) {
        while self.peek() == Some(&Word::Blank) {
            self.next += 1;
        }
    }

    pub(super) fn unexpected<T>(&self, item: Option<&Item>, context: &str) -> Result<T, Mistake> {
        const SHOWN: usize = 10;
        let word = match item.map(|it| &it.word) {
            None => "EOF".to_owned(),
            Some(Word::Dot) => "<.>".to_owned(),
            Some(Word::Close | Word::Open) => "\"}}\"".to_owned(),
            Some(Word::Name(name)) if is_keyword(name) => format!("<{name}>"),
            Some(_) => {
                let item = item.map_or(0, |it| it.at);
                let end = self.items.iter().find(|it| it.at > item).map(|it| it.at);
                let text = self.template.get(item..end.unwrap_or(self.template.len()));
                let text = text.unwrap_or_default().trim();
                let short: String = text.chars().take(SHOWN).collect();
                let dots = if short.len() < text.len() { "..." } else { "" };
                format!("{}{dots}", api::fields::quote(&short))
            }
        };
        self.fail(format!("unexpected {word} in {context}"))
    }

    /// Parts up to an `end` or `else`.
    fn list(&mut self) -> Result<(Vec<Part>, Option<End>), Mistake> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.fail("max expression depth exceeded");
        }
        let mut parts = vec![];
        while let Some(item) = self.take() {
            if let Word::Text(text) = item.word {
                parts.push(Part::Text(text));
                continue;
            }
            self.skip_blank();
            let Some(Word::Name(name)) = self.peek().cloned() else {
                parts.push(Part::Action(self.pipe("command")?));
                continue;
            };
            if !is_keyword(&name) {
                parts.push(Part::Action(self.pipe("command")?));
                continue;
            }
            self.next += 1;
            match name.as_str() {
                "end" => {
                    self.close("end")?;
                    self.depth -= 1;
                    return Ok((parts, Some(End::End)));
                }
                "else" => {
                    self.depth -= 1;
                    return Ok((parts, Some(self.after_else()?)));
                }
                "if" => parts.push(Part::If(self.branch(Control::If)?)),
                "range" => parts.push(Part::Range(self.branch(Control::Range)?)),
                "with" => parts.push(Part::With(self.branch(Control::With)?)),
                "define" => self.define()?,
                "template" | "block" => parts.push(self.template(&item, name == "block")?),
                word => {
                    self.close(&format!("{{{{{word}}}}}"))?;
                    if self.n_ranges == 0 {
                        return self.fail(format!("{{{{{word}}}}} outside {{{{range}}}}"));
                    }
                    parts.push(if word == "break" { Part::Break } else { Part::Continue });
                }
            }
        }
        self.depth -= 1;
        Ok((parts, None))
    }

    fn close(&mut self, context: &str) -> Result<(), Mistake> {
        self.skip_blank();
        match self.take() {
            Some(Item { word: Word::Close, .. }) => Ok(()),
            other => self.unexpected(other.as_ref(), context),
        }
    }

    fn after_else(&mut self) -> Result<End, Mistake> {
        self.skip_blank();
        let follows = match self.peek() {
            Some(Word::Name(name)) if name == "if" => Some(true),
            Some(Word::Name(name)) if name == "with" => Some(false),
            _ => {
                self.close("else")?;
                None
            }
        };
        self.next += usize::from(follows.is_some());
        Ok(End::Else(follows))
    }

    fn branch(&mut self, control: Control) -> Result<Branch, Mistake> {
        let n_variables = self.variables.len();
        let context = match control {
            Control::If => "if",
            Control::Range => "range",
            Control::With => "with",
        };
        let pipe = self.pipe(context)?;
        self.n_ranges += usize::from(control == Control::Range);
        let (body, end) = self.list()?;
        self.n_ranges -= usize::from(control == Control::Range);
        let mut otherwise = vec![];
        match (end, control) {
            (Some(End::End), _) => {}
            (Some(End::Else(None)), _) => {
                let (parts, end) = self.list()?;
                otherwise = parts;
                match end {
                    Some(End::End) => {}
                    Some(end) => return self.fail(format!("expected end; found {}", end.text())),
                    None => return self.fail("unexpected EOF"),
                }
            }
            (Some(End::Else(Some(true))), Control::If) => {
                otherwise.push(Part::If(self.branch(Control::If)?));
            }
            (Some(End::Else(Some(false))), Control::With) => {
                otherwise.push(Part::With(self.branch(Control::With)?));
            }
            (Some(End::Else(Some(is_if))), _) => {
                let word = if is_if { "if" } else { "with" };
                return self.fail(format!("unexpected <{word}> in input"));
            }
            (None, _) => return self.fail("unexpected EOF"),
        }
        self.variables.truncate(n_variables);
        Ok(Branch { pipe, body, otherwise })
    }

    fn name_of_template(&mut self, context: &str) -> Result<(String, String), Mistake> {
        self.skip_blank();
        match self.take() {
            Some(Item { word: Word::Quoted(written, meant), .. }) => Ok((written, meant)),
            other => self.unexpected(other.as_ref(), context),
        }
    }

    fn define(&mut self) -> Result<(), Mistake> {
        if self.depth > 1 {
            return self.fail("unexpected <define> in command");
        }
        let (_, name) = self.name_of_template("define clause")?;
        self.close("define clause")?;
        self.body_of(name, "define")
    }

    /// The parts of a template, up to its end.
    fn body_of(&mut self, name: String, context: &str) -> Result<(), Mistake> {
        let outside = std::mem::replace(&mut self.variables, vec!["$".to_owned()]);
        let n_ranges = std::mem::take(&mut self.n_ranges);
        let (body, end) = self.list()?;
        match end {
            Some(End::End) => {}
            Some(end) => {
                return self.fail(format!("unexpected {} in {context} clause", end.text()));
            }
            None => return self.fail("unexpected EOF"),
        }
        (self.variables, self.n_ranges) = (outside, n_ranges);
        let is_empty = |parts: &[Part]| {
            parts.iter().all(|it| matches!(it, Part::Text(text) if text.trim().is_empty()))
        };
        if self.templates.get(&name).is_some_and(|it| !is_empty(it)) {
            // What is empty counts as not there.
            if is_empty(&body) {
                return Ok(());
            }
            let name = api::fields::quote(&name);
            return self.fail(format!("template: multiple definition of template {name}"));
        }
        self.templates.insert(name, body);
        Ok(())
    }

    fn template(&mut self, open: &Item, is_block: bool) -> Result<Part, Mistake> {
        let context = if is_block { "block clause" } else { "template clause" };
        let at = self.items.get(self.next - 1).map_or(open.at, |it| it.at);
        let (written, name) = self.name_of_template(context)?;
        self.skip_blank();
        let pipe = match self.peek() {
            Some(Word::Close) if !is_block => {
                self.next += 1;
                None
            }
            _ => Some(self.pipe(context)?),
        };
        if is_block {
            self.body_of(name.clone(), "block")?;
        }
        let argument = pipe.as_ref().map_or(String::new(), |it| format!(" {}", it.text()));
        let text = format!("{{{{template {written}{argument}}}}}");
        // Go points to the name.
        let at = at + "template ".len();
        Ok(Part::Template { at, name, text, pipe })
    }
}

pub(super) fn is_keyword(name: &str) -> bool {
    matches!(
        name,
        "block"
            | "break"
            | "continue"
            | "define"
            | "else"
            | "end"
            | "if"
            | "range"
            | "template"
            | "with"
    )
}
