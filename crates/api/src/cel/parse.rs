//! Text to tree, by recursive descent.

use std::ops::Range;

use super::CelError;

/// How deep brackets may be nested.
const MAX_DEPTH: usize = 50;
/// How many operators and steps (`.a`, `[0]`) an expression may have: a chain of them is a tree that
/// is as deep as it is long.
const MAX_LINKS: usize = 300;

/// A part of an expression and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) kind: NodeKind,
    /// Of the text, brackets around it included.
    pub(super) span: Range<usize>,
    /// Where a mistake in it is to be shown: at its operator or name.
    pub(super) at: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum NodeKind {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(String),
    List(Vec<Node>),
    Variable(String),
    Field(Box<Node>, String),
    Index(Box<(Node, Node)>),
    /// `has(a.b)`.
    Has(Box<Node>, String),
    /// A function, its receiver if it has one, its arguments.
    Call(Function, Vec<Node>),
    /// `list.exists(x, ...)`: the macro, the list, the variable, the body.
    Macro(Macro, Box<(Node, Node)>, String),
    Not(Box<Node>),
    Minus(Box<Node>),
    Binary(&'static str, Box<(Node, Node)>),
    Choice(Box<(Node, Node, Node)>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Macro {
    Exists,
    All,
    Filter,
    Map,
}

macro_rules! functions {
    ($($variant:ident $name:literal $method:literal $n:literal;)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Function { $($variant,)* }

        impl Function {
            /// Finds a function by its name, whether it has a receiver, and its number of values,
            /// the receiver included.
            fn find(name: &str, method: bool, n: usize) -> Option<Self> {
                match (name, method, n) {
                    $(($name, $method, $n) => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

functions! {
    Size "size" false 1;
    SizeOf "size" true 1;
    Int "int" false 1;
    Double "double" false 1;
    Text "string" false 1;
    StartsWith "startsWith" true 2;
    EndsWith "endsWith" true 2;
    Contains "contains" true 2;
    Quantity "quantity" false 1;
    IsLessThan "isLessThan" true 2;
    IsGreaterThan "isGreaterThan" true 2;
    CompareTo "compareTo" true 2;
    Add "add" true 2;
    Sub "sub" true 2;
    AsInteger "asInteger" true 1;
    AsApproximateFloat "asApproximateFloat" true 1;
}

impl Node {
    pub(super) fn uses(&self, name: &str) -> bool {
        match &self.kind {
            NodeKind::Variable(it) => it == name,
            NodeKind::List(all) | NodeKind::Call(_, all) => all.iter().any(|it| it.uses(name)),
            NodeKind::Field(of, _)
            | NodeKind::Has(of, _)
            | NodeKind::Not(of)
            | NodeKind::Minus(of) => of.uses(name),
            NodeKind::Index(two) | NodeKind::Macro(_, two, _) | NodeKind::Binary(_, two) => {
                two.0.uses(name) || two.1.uses(name)
            }
            NodeKind::Choice(it) => it.0.uses(name) || it.1.uses(name) || it.2.uses(name),
            _ => false,
        }
    }
}

/// Binary operators, the loosest first.
const LEVELS: [&[&str]; 5] =
    [&["||"], &["&&"], &["==", "!=", "<=", ">=", "<", ">", "in"], &["+", "-"], &["*", "/", "%"]];

pub(super) fn parse(text: &str, variables: &[&str]) -> Result<Node, CelError> {
    let names = variables.iter().map(|it| (*it).to_owned()).collect();
    let mut parser = Parser { text, at: 0, names, depth: 0, n_links: 0 };
    let node = parser.choice()?;
    parser.space();
    match parser.rest().chars().next() {
        None => Ok(node),
        Some('=') => parser.fail("= is no operator; == compares"),
        Some(_) => parser.fail("there is something behind the end of the expression"),
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    /// Those of the context and of the macros around.
    names: Vec<String>,
    depth: usize,
    n_links: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn fail<T>(&self, message: &str) -> Result<T, CelError> {
        self.fail_at(self.at, message)
    }

    fn fail_at<T>(&self, at: usize, message: &str) -> Result<T, CelError> {
        Err(CelError { at, message: message.to_owned() })
    }

    fn eat(&mut self, token: &str) -> bool {
        self.space();
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn need(&mut self, token: &str) -> Result<(), CelError> {
        match self.eat(token) {
            true => Ok(()),
            false => self.fail(&format!("{token} is missing")),
        }
    }

    fn word(&mut self) -> Option<&'a str> {
        self.space();
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let word = rest.get(..end).filter(|it| !it.starts_with(|c: char| c.is_ascii_digit()))?;
        self.at += word.len();
        Some(word).filter(|it| !it.is_empty())
    }

    /// Goes one level down, within the bound.
    fn deeper<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, CelError>,
    ) -> Result<T, CelError> {
        if self.depth >= MAX_DEPTH {
            return self.fail("the expression is nested too deeply");
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    fn link(&mut self) -> Result<(), CelError> {
        self.n_links += 1;
        match self.n_links > MAX_LINKS {
            true => self.fail("the expression has too many parts"),
            false => Ok(()),
        }
    }

    fn choice(&mut self) -> Result<Node, CelError> {
        let condition = self.binary(0)?;
        let at = self.at;
        if !self.eat("?") {
            return Ok(condition);
        }
        let yes = self.deeper(Self::choice)?;
        self.need(":")?;
        let no = self.deeper(Self::choice)?;
        let span = condition.span.start..no.span.end;
        Ok(Node { kind: NodeKind::Choice(Box::new((condition, yes, no))), span, at })
    }

    fn operator(&mut self, level: usize) -> Option<&'static str> {
        self.space();
        let rest = self.rest();
        let mut all = LEVELS.get(level)?.iter();
        all.find(|it| {
            // `in` is a word, not the start of one.
            let next = rest.strip_prefix(**it).map(|it| it.chars().next());
            next.is_some_and(|next| {
                **it != "in" || next.is_none_or(|it| !it.is_ascii_alphanumeric() && it != '_')
            })
        })
        .copied()
    }

    fn binary(&mut self, level: usize) -> Result<Node, CelError> {
        if level == LEVELS.len() {
            return self.unary();
        }
        let mut left = self.binary(level + 1)?;
        while let Some(operator) = self.operator(level) {
            let at = self.at;
            self.link()?;
            self.at += operator.len();
            let right = self.binary(level + 1)?;
            let span = left.span.start..right.span.end;
            left = Node { kind: NodeKind::Binary(operator, Box::new((left, right))), span, at };
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Node, CelError> {
        self.space();
        let at = self.at;
        let is_not = self.eat("!");
        if is_not || self.eat("-") {
            let of = Box::new(self.deeper(Self::unary)?);
            let span = at..of.span.end;
            let kind = if is_not { NodeKind::Not(of) } else { NodeKind::Minus(of) };
            return Ok(Node { kind, span, at });
        }
        self.member()
    }

    fn member(&mut self) -> Result<Node, CelError> {
        let mut node = self.primary()?;
        loop {
            self.link()?;
            let start = node.span.start;
            if self.eat(".") {
                self.space();
                let at = self.at;
                let Some(name) = self.word() else { return self.fail("a name is missing") };
                let kind = if self.eat("(") {
                    self.method(node, name, at)?
                } else {
                    NodeKind::Field(Box::new(node), name.to_owned())
                };
                node = Node { kind, span: start..self.at, at };
            } else if self.eat("[") {
                let at = self.at - 1;
                let index = self.deeper(Self::choice)?;
                self.need("]")?;
                let kind = NodeKind::Index(Box::new((node, index)));
                node = Node { kind, span: start..self.at, at };
            } else {
                return Ok(node);
            }
        }
    }

    fn method(&mut self, of: Node, name: &str, at: usize) -> Result<NodeKind, CelError> {
        let which = match name {
            "exists" => Some(Macro::Exists),
            "all" => Some(Macro::All),
            "filter" => Some(Macro::Filter),
            "map" => Some(Macro::Map),
            _ => None,
        };
        if let Some(which) = which {
            let Some(variable) = self.word() else { return self.fail("a name is missing") };
            self.need(",")?;
            self.names.push(variable.to_owned());
            let body = self.deeper(Self::choice);
            self.names.pop();
            let body = body?;
            self.need(")")?;
            return Ok(NodeKind::Macro(which, Box::new((of, body)), variable.to_owned()));
        }
        let mut values = vec![of];
        values.extend(self.list(")")?);
        self.call(name, true, values, at)
    }

    fn call(
        &self,
        name: &str,
        method: bool,
        values: Vec<Node>,
        at: usize,
    ) -> Result<NodeKind, CelError> {
        match Function::find(name, method, values.len()) {
            Some(function) => Ok(NodeKind::Call(function, values)),
            None => self.fail_at(at, &format!("there is no function {name} here")),
        }
    }

    fn list(&mut self, end: &str) -> Result<Vec<Node>, CelError> {
        let mut all = Vec::new();
        while !self.eat(end) {
            if !all.is_empty() {
                self.need(",")?;
                if self.eat(end) {
                    break;
                }
            }
            all.push(self.deeper(Self::choice)?);
        }
        Ok(all)
    }

    fn primary(&mut self) -> Result<Node, CelError> {
        self.space();
        let at = self.at;
        let kind = match self.rest().chars().next() {
            Some('(') => {
                self.at += 1;
                let inner = self.deeper(Self::choice)?;
                self.need(")")?;
                return Ok(Node { span: at..self.at, ..inner });
            }
            Some('[') => {
                self.at += 1;
                NodeKind::List(self.list("]")?)
            }
            Some('\'' | '"') => NodeKind::Text(self.string()?),
            Some(c) if c.is_ascii_digit() => self.number()?,
            Some(c) if c.is_ascii_alphabetic() || c == '_' => self.name()?,
            _ => return self.fail("an expression is missing"),
        };
        Ok(Node { kind, span: at..self.at, at })
    }

    fn name(&mut self) -> Result<NodeKind, CelError> {
        let at = self.at;
        let word = self.word().unwrap_or_default();
        Ok(match word {
            "true" => NodeKind::Bool(true),
            "false" => NodeKind::Bool(false),
            "null" => NodeKind::Null,
            "has" if self.eat("(") => {
                let of = self.deeper(Self::choice)?;
                self.need(")")?;
                let NodeKind::Field(of, name) = of.kind else {
                    return self.fail_at(at, "has() needs a field, as in has(a.b)");
                };
                NodeKind::Has(of, name)
            }
            name if self.eat("(") => {
                let values = self.list(")")?;
                self.call(name, false, values, at)?
            }
            name if self.names.iter().any(|it| it == name) => NodeKind::Variable(name.to_owned()),
            name => {
                let all = self.names.join(", ");
                let text = format!("there is no variable {name}; there are {all}");
                return self.fail_at(at, &text);
            }
        })
    }

    fn number(&mut self) -> Result<NodeKind, CelError> {
        let rest = self.rest();
        let is_part = |(at, c): (usize, char)| {
            let exponent = rest.get(..at).is_some_and(|it| it.ends_with(['e', 'E']));
            let digit =
                rest.get(at + 1..).is_some_and(|it| it.starts_with(|c: char| c.is_ascii_digit()));
            !(c.is_ascii_digit()
                || (c == '.' && digit)
                || matches!(c, 'e' | 'E')
                || (exponent && matches!(c, '+' | '-')))
        };
        let end = rest.char_indices().find(|it| is_part(*it)).map_or(rest.len(), |(at, _)| at);
        let text = rest.get(..end).unwrap_or_default();
        let kind = match text.contains(['.', 'e', 'E']) {
            true => text.parse().map(NodeKind::Double).ok(),
            false => text.parse().map(NodeKind::Int).ok(),
        };
        let Some(kind) = kind else { return self.fail("this is no number, or it is too large") };
        self.at += end;
        Ok(kind)
    }

    fn string(&mut self) -> Result<String, CelError> {
        let start = self.at;
        let mut chars = self.rest().char_indices();
        let quote = chars.next().map_or('\'', |(_, it)| it);
        let mut text = String::new();
        while let Some((at, c)) = chars.next() {
            match c {
                c if c == quote => {
                    self.at = start + at + 1;
                    return Ok(text);
                }
                '\\' => match chars.next().map(|(_, it)| it) {
                    Some('n') => text.push('\n'),
                    Some('t') => text.push('\t'),
                    Some(it @ ('\\' | '\'' | '"' | '`')) => text.push(it),
                    _ => return self.fail_at(start + at, "there is no such escape here"),
                },
                c => text.push(c),
            }
        }
        self.fail_at(start, "the string does not end")
    }
}
