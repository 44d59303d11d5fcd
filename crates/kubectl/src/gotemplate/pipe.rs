//! What stands between the braces: pipes of commands, and the operands of these.
//!
//! Upstream: Go's `text/template/parse/parse.go`.

use super::lex::Word;
use super::parse::{Kind, MAX_DEPTH, Operand, Parser, Pipe, is_keyword};
use super::{Mistake, functions};

impl Parser<'_> {
    /// A pipe up to the closing braces.
    pub(super) fn pipe(&mut self, context: &str) -> Result<Pipe, Mistake> {
        let mut pipe = Pipe::default();
        self.skip_blank();
        self.declarations(&mut pipe, context)?;
        loop {
            self.skip_blank();
            match self.peek() {
                Some(Word::Close) => {
                    self.next += 1;
                    self.check(&pipe, context)?;
                    return Ok(pipe);
                }
                Some(Word::Sign(')')) if context == "parenthesized pipeline" => {
                    self.next += 1;
                    self.check(&pipe, context)?;
                    return Ok(pipe);
                }
                None => return self.fail("unexpected EOF"),
                Some(Word::Sign(sign)) if *sign != '(' => {
                    let item = self.take();
                    return self.unexpected(item.as_ref(), context);
                }
                Some(_) => {
                    let command = self.command()?;
                    pipe.commands.push(command);
                }
            }
        }
    }

    fn check(&self, pipe: &Pipe, context: &str) -> Result<(), Mistake> {
        if pipe.commands.is_empty() {
            return self.fail(format!("missing value for {context}"));
        }
        for (n, command) in pipe.commands.iter().enumerate().skip(1) {
            let is_plain = command.first().is_some_and(|it| {
                !matches!(
                    it.kind,
                    Kind::Fields(_) | Kind::Variable(..) | Kind::Pipe(..) | Kind::Function(_)
                )
            });
            if is_plain {
                let why = format!("non executable command in pipeline stage {}", n + 1);
                return self.fail(why);
            }
        }
        Ok(())
    }

    /// `$x :=`, `$x =`, and of a range `$k, $v :=`.
    fn declarations(&mut self, pipe: &mut Pipe, context: &str) -> Result<(), Mistake> {
        let start = self.next;
        let mut names = vec![];
        while let Some(Word::Variable(name)) = self.peek().cloned() {
            self.next += 1;
            names.push(name);
            self.skip_blank();
            match self.peek() {
                Some(Word::Sign(',')) => {
                    self.next += 1;
                    if names.len() > 1 || context != "range" {
                        return self.fail(format!("too many declarations in {context}"));
                    }
                    self.skip_blank();
                }
                Some(Word::Sign(sign @ (':' | '='))) => {
                    pipe.assigns = *sign == '=';
                    self.next += 1;
                    if !pipe.assigns {
                        self.variables.extend(names.iter().cloned());
                    }
                    pipe.variables = names;
                    return Ok(());
                }
                _ => break,
            }
        }
        self.next = start;
        Ok(())
    }

    fn command(&mut self) -> Result<Vec<Operand>, Mistake> {
        let mut operands = vec![];
        loop {
            self.skip_blank();
            if let Some(operand) = self.operand()? {
                operands.push(operand);
            }
            match self.peek() {
                Some(Word::Blank) => {}
                Some(Word::Close | Word::Sign(')')) | None => break,
                Some(Word::Sign('|')) => {
                    self.next += 1;
                    break;
                }
                Some(_) => {
                    let item = self.take();
                    return self.unexpected(item.as_ref(), "operand");
                }
            }
        }
        if operands.is_empty() {
            return self.fail("empty command");
        }
        Ok(operands)
    }

    /// A term and the fields of it.
    fn operand(&mut self) -> Result<Option<Operand>, Mistake> {
        let Some(mut operand) = self.term()? else { return Ok(None) };
        let mut fields = vec![];
        // Go points to the first field behind the term.
        let at = self.items.get(self.next).map_or(operand.at, |it| it.at);
        while let Some(Word::Field(name)) = self.peek().cloned() {
            self.next += 1;
            fields.push(name);
        }
        if fields.is_empty() {
            return Ok(Some(operand));
        }
        operand.at = at;
        let term = operand.text.clone();
        fields.iter().for_each(|it| operand.text.push_str(&format!(".{it}")));
        match &mut operand.kind {
            Kind::Fields(all) | Kind::Variable(_, all) | Kind::Pipe(_, all) => all.extend(fields),
            _ => {
                let term = api::fields::quote(&term);
                return self.fail(format!("unexpected . after term {term}"));
            }
        }
        Ok(Some(operand))
    }

    fn term(&mut self) -> Result<Option<Operand>, Mistake> {
        let Some(item) = self.items.get(self.next).cloned() else { return Ok(None) };
        let (text, kind) = match item.word {
            Word::Name(name) => match name.as_str() {
                "true" | "false" => (name.clone(), Kind::Bool(name == "true")),
                "nil" => (name, Kind::Nil),
                _ if is_keyword(&name) => return Ok(None),
                _ => {
                    self.next += 1;
                    if !functions::NAMES.contains(&name.as_str()) {
                        let name = api::fields::quote(&name);
                        return self.fail(format!("function {name} not defined"));
                    }
                    return Ok(Some(Operand {
                        at: item.at,
                        text: name.clone(),
                        kind: Kind::Function(name),
                    }));
                }
            },
            Word::Dot => (".".to_owned(), Kind::Dot),
            Word::Field(name) => (format!(".{name}"), Kind::Fields(vec![name])),
            Word::Variable(name) => {
                if !self.variables.contains(&name) {
                    self.next += 1;
                    let name = api::fields::quote(&name);
                    return self.fail(format!("undefined variable {name}"));
                }
                (name.clone(), Kind::Variable(name, vec![]))
            }
            Word::Number(text) => {
                let kind = super::number(&text).unwrap_or(Kind::Int(0));
                (text, kind)
            }
            Word::Quoted(written, meant) => (written, Kind::Text(meant)),
            Word::Sign('(') => {
                self.next += 1;
                self.depth += 1;
                if self.depth > MAX_DEPTH {
                    return self.fail("max expression depth exceeded");
                }
                let pipe = self.pipe("parenthesized pipeline")?;
                self.depth -= 1;
                let text = format!("({})", pipe.text());
                return Ok(Some(Operand { at: item.at, text, kind: Kind::Pipe(pipe, vec![]) }));
            }
            _ => return Ok(None),
        };
        self.next += 1;
        Ok(Some(Operand { at: item.at, text, kind }))
    }
}
