//! Templates carried out.
//!
//! Upstream: Go's `text/template/exec.go`.
//! Differs from upstream: a template that does not end is ended after five million steps.

use serde_json::Value;

use super::parse::{Branch, Kind, Operand, Part, Pipe, Templates, text_of};
use super::value::{Form, Item};
use super::{Mistake, format, functions};

/// More than any real list needs.
const MAX_STEPS: u64 = 5_000_000;

/// How deep templates call one another; the stack would end.
const MAX_DEPTH: usize = 100;

/// Whether a list goes on.
#[derive(Clone, Copy, PartialEq)]
enum Flow {
    On,
    Break,
    Continue,
}

pub(super) struct Runner<'a, 't> {
    template: &'t str,
    templates: &'t Templates,
    variables: Vec<(&'t str, Item<'a>)>,
    /// What was printed so far.
    pub(super) out: String,
    n_steps: u64,
    depth: usize,
    /// The named template that runs.
    name: &'t str,
}

impl<'a, 't> Runner<'a, 't> {
    pub(super) fn new(template: &'t str, templates: &'t Templates) -> Self {
        let (variables, out) = (vec![], String::new());
        Self { template, templates, variables, out, n_steps: 0, depth: 0, name: "" }
    }

    pub(super) fn run(&mut self, value: &'a Value) -> Result<(), Mistake> {
        self.variables.push(("$", Item::Of(value)));
        match self.templates.get("") {
            Some(parts) => self.list(parts, &Item::Of(value)).map(|_| ()),
            None => Ok(()),
        }
    }

    fn fail<T>(&self, at: usize, context: &str, why: &str) -> Result<T, Mistake> {
        Err(Mistake::executing(self.template, self.name, at, context, why))
    }

    /// Points to what was looked at last in a pipe.
    fn fail_at<T>(&self, pipe: &Pipe, why: &str) -> Result<T, Mistake> {
        let last = pipe.commands.last().and_then(|it| it.last());
        let (at, text) = last.map_or((0, ""), |it| (it.at, it.text.as_str()));
        self.fail(at, text, why)
    }

    fn step(&mut self) -> Result<(), Mistake> {
        self.n_steps += 1;
        match self.n_steps > MAX_STEPS {
            true => self.fail(0, "", "the simulation ends templates after 5000000 steps"),
            false => Ok(()),
        }
    }

    fn list(&mut self, parts: &'t [Part], dot: &Item<'a>) -> Result<Flow, Mistake> {
        let n_variables = self.variables.len();
        let mut flow = Flow::On;
        for part in parts {
            flow = self.part(part, dot)?;
            if flow != Flow::On {
                break;
            }
        }
        self.variables.truncate(n_variables);
        Ok(flow)
    }

    fn part(&mut self, part: &'t Part, dot: &Item<'a>) -> Result<Flow, Mistake> {
        self.step()?;
        match part {
            Part::Text(text) => self.out.push_str(text),
            Part::Action(pipe) => {
                let value = self.pipe(pipe, dot)?;
                if pipe.variables.is_empty() {
                    match value.form() {
                        Form::Nothing => self.out.push_str("<no value>"),
                        _ => self.out.push_str(&format::plain(&value)),
                    }
                }
            }
            Part::If(branch) => {
                return self.scoped(|it| {
                    let truth = it.pipe(&branch.pipe, dot)?.is_true();
                    it.list(if truth { &branch.body } else { &branch.otherwise }, dot)
                });
            }
            Part::With(branch) => {
                return self.scoped(|it| {
                    let value = it.pipe(&branch.pipe, dot)?;
                    match value.is_true() {
                        true => it.list(&branch.body, &value),
                        false => it.list(&branch.otherwise, dot),
                    }
                });
            }
            Part::Range(branch) => return self.scoped(|it| it.range(branch, dot)),
            Part::Template { at, name, text, pipe } => {
                self.named(*at, name, text, pipe.as_ref(), dot)?;
            }
            Part::Break => return Ok(Flow::Break),
            Part::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::On)
    }

    fn scoped(
        &mut self,
        run: impl FnOnce(&mut Self) -> Result<Flow, Mistake>,
    ) -> Result<Flow, Mistake> {
        let n_variables = self.variables.len();
        let flow = run(self);
        self.variables.truncate(n_variables);
        flow
    }

    fn range(&mut self, branch: &'t Branch, dot: &Item<'a>) -> Result<Flow, Mistake> {
        let subject = self.value_of(&branch.pipe, dot)?;
        let count = match subject.form() {
            Form::Nothing => 0,
            Form::List(all) => all.len(),
            Form::Map(map) => map.len(),
            Form::Int(n) => usize::try_from(n).unwrap_or_default(),
            _ => {
                let why = format!("range can't iterate over {}", format::plain(&subject));
                return self.fail_at(&branch.pipe, &why);
            }
        };
        let keys: Vec<String> = match subject.form() {
            Form::Map(map) => map.keys().cloned().collect(),
            _ => vec![],
        };
        for n in 0..count {
            self.step()?;
            let place = Item::Int(i64::try_from(n).unwrap_or_default());
            let (key, item) = match keys.get(n) {
                Some(key) => (Item::text(key.as_str()), subject.part(|it| it.get(key))),
                None if matches!(subject.form(), Form::Int(_)) => (place.clone(), place),
                None => (place, subject.part(|it| it.get(n))),
            };
            let n_variables = self.variables.len();
            let is_number = matches!(subject.form(), Form::Int(_));
            match &branch.pipe.variables[..] {
                [] => {}
                [value] => self.set(branch, value, item.clone())?,
                [first, value, ..] => {
                    if is_number {
                        let why = format!(
                            "can't use {} to iterate over more than one variable",
                            format::plain(&subject)
                        );
                        return self.fail_at(&branch.pipe, &why);
                    }
                    self.set(branch, first, key)?;
                    self.set(branch, value, item.clone())?;
                }
            }
            let flow = self.list(&branch.body, &item)?;
            self.variables.truncate(n_variables);
            if flow == Flow::Break {
                break;
            }
        }
        match count {
            0 => self.list(&branch.otherwise, dot),
            _ => Ok(Flow::On),
        }
    }

    fn set(&mut self, branch: &'t Branch, name: &'t str, value: Item<'a>) -> Result<(), Mistake> {
        if !branch.pipe.assigns {
            self.variables.push((name, value));
            return Ok(());
        }
        self.assign(&branch.pipe, name, value)
    }

    fn assign(&mut self, pipe: &Pipe, name: &str, value: Item<'a>) -> Result<(), Mistake> {
        match self.variables.iter_mut().rev().find(|it| it.0 == name) {
            Some(variable) => {
                variable.1 = value;
                Ok(())
            }
            None => self.fail_at(pipe, &format!("undefined variable: {name}")),
        }
    }

    fn named(
        &mut self,
        at: usize,
        name: &'t str,
        text: &str,
        pipe: Option<&'t Pipe>,
        dot: &Item<'a>,
    ) -> Result<(), Mistake> {
        let Some(parts) = self.templates.get(name).filter(|_| !name.is_empty()) else {
            let name = api::fields::quote(name);
            return self.fail(at, text, &format!("template {name} not defined"));
        };
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.fail(at, text, "exceeded maximum template depth (100)");
        }
        let _ = dot;
        let value = match pipe {
            Some(pipe) => self.pipe(pipe, dot)?,
            None => Item::Nothing,
        };
        let outside = std::mem::replace(&mut self.variables, vec![("$", value.clone())]);
        let outer = std::mem::replace(&mut self.name, name);
        self.list(parts, &value)?;
        (self.variables, self.name) = (outside, outer);
        self.depth -= 1;
        Ok(())
    }

    /// The value of a pipe, which its variables get too.
    fn pipe(&mut self, pipe: &'t Pipe, dot: &Item<'a>) -> Result<Item<'a>, Mistake> {
        let value = self.value_of(pipe, dot)?;
        for name in &pipe.variables {
            match pipe.assigns {
                true => self.assign(pipe, name, value.clone())?,
                false => self.variables.push((name, value.clone())),
            }
        }
        Ok(value)
    }

    fn value_of(&mut self, pipe: &'t Pipe, dot: &Item<'a>) -> Result<Item<'a>, Mistake> {
        let mut value = None;
        for command in &pipe.commands {
            value = Some(self.command(command, dot, value)?);
        }
        Ok(value.unwrap_or(Item::Nothing))
    }

    /// A command, whose last argument is the value of the command before.
    fn command(
        &mut self,
        command: &'t [Operand],
        dot: &Item<'a>,
        piped: Option<Item<'a>>,
    ) -> Result<Item<'a>, Mistake> {
        self.step()?;
        let Some((first, rest)) = command.split_first() else { return Ok(Item::Nothing) };
        if let Kind::Function(name) = &first.kind {
            return self.function(name, first.at, &text_of(command), rest, dot, piped);
        }
        if !rest.is_empty() || piped.is_some() {
            let field = match &first.kind {
                Kind::Fields(names) | Kind::Variable(_, names) | Kind::Pipe(_, names) => {
                    names.last()
                }
                _ => None,
            };
            let why = match field {
                Some(name) => format!("{name} is not a method but has arguments"),
                None => format!("can't give argument to non-function {}", first.text),
            };
            return self.fail(first.at, &first.text, &why);
        }
        if let Kind::Nil = first.kind {
            return self.fail(first.at, "nil", "nil is not a command");
        }
        self.operand(first, dot)
    }

    fn operand(&mut self, operand: &'t Operand, dot: &Item<'a>) -> Result<Item<'a>, Mistake> {
        match &operand.kind {
            Kind::Dot => Ok(dot.clone()),
            Kind::Nil => Ok(Item::Nothing),
            Kind::Bool(it) => Ok(Item::Own((*it).into())),
            Kind::Int(it) => Ok(Item::Int(*it)),
            Kind::Float(it) => Ok(Item::Own((*it).into())),
            Kind::Text(it) => Ok(Item::text(it.as_str())),
            Kind::Fields(names) => self.fields(dot.clone(), names, operand),
            Kind::Variable(name, names) => {
                let found = self.variables.iter().rev().find(|it| it.0 == name);
                match found.map(|it| it.1.clone()) {
                    Some(value) => self.fields(value, names, operand),
                    None => {
                        let why = format!("undefined variable: {name}");
                        self.fail(operand.at, &operand.text, &why)
                    }
                }
            }
            Kind::Pipe(pipe, names) => {
                let value = self.pipe(pipe, dot)?;
                self.fields(value, names, operand)
            }
            Kind::Function(name) => self.function(name, operand.at, &operand.text, &[], dot, None),
        }
    }

    fn fields(
        &self,
        mut value: Item<'a>,
        names: &[String],
        operand: &Operand,
    ) -> Result<Item<'a>, Mistake> {
        for (n, name) in names.iter().enumerate() {
            value = match value.form() {
                Form::Nothing => Item::Nothing,
                Form::Map(_) => value.part(|it| it.get(name)),
                _ => {
                    // A variable knows what it holds, a field does not.
                    let of = match (&value, &operand.kind) {
                        (Item::Of(_), Kind::Variable(..) | Kind::Pipe(..)) if n == 0 => {
                            value.type_name()
                        }
                        (Item::Of(_), _) => "interface {}",
                        _ => value.type_name(),
                    };
                    let why = format!("can't evaluate field {name} in type {of}");
                    if let Kind::Pipe(pipe, _) = &operand.kind {
                        return self.fail_at(pipe, &why);
                    }
                    return self.fail(operand.at, &operand.text, &why);
                }
            };
        }
        Ok(value)
    }

    fn function(
        &mut self,
        name: &str,
        at: usize,
        text: &str,
        arguments: &'t [Operand],
        dot: &Item<'a>,
        piped: Option<Item<'a>>,
    ) -> Result<Item<'a>, Mistake> {
        let n = arguments.len() + usize::from(piped.is_some());
        let (wanted, takes_more) = functions::wanted(name);
        if n < wanted || n > wanted && !takes_more {
            let least = if takes_more { "at least " } else { "" };
            let why = format!("wrong number of args for {name}: want {least}{wanted} got {n}");
            return self.fail(at, name, &why);
        }
        if name == "and" || name == "or" {
            let mut value = Item::Nothing;
            for argument in arguments {
                value = self.operand(argument, dot)?;
                if value.is_true() == (name == "or") {
                    return Ok(value);
                }
            }
            return Ok(piped.unwrap_or(value));
        }
        let mut values = vec![];
        for argument in arguments {
            values.push(self.operand(argument, dot)?);
        }
        values.extend(piped);
        if matches!(name, "printf" | "base64decode")
            && let Some(first) = values.first().filter(|it| !matches!(it.form(), Form::Text(_)))
        {
            let (at, text) = arguments.first().map_or((at, text), |it| (it.at, it.text.as_str()));
            let why = match arguments.first().map(|it| &it.kind) {
                Some(Kind::Int(_) | Kind::Float(_) | Kind::Bool(_)) => {
                    format!("expected string; found {text}")
                }
                _ if matches!(first.form(), Form::Nothing) => {
                    "invalid value; expected string".to_owned()
                }
                _ => {
                    let type_name = first.type_name();
                    format!("wrong type for value; expected string; got {type_name}")
                }
            };
            return self.fail(at, text, &why);
        }
        let answer = match (name, arguments.first()) {
            ("call", Some(first)) => {
                let type_name = values.first().map_or("<nil>", Item::type_name);
                Err(format!("non-function {} of type {type_name}", first.text))
            }
            _ => functions::call(name, &values),
        };
        match answer {
            Ok(value) => Ok(value),
            Err(why) => self.fail(at, text, &format!("error calling {name}: {why}")),
        }
    }
}
