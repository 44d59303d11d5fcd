//! Expressions over objects: a documented part of the Common Expression Language.
//!
//! What there is: literals (numbers, strings, `true`, `false`, `null`, lists), variables, field
//! selection `a.b`, index `a["b"]`, `has(a.b)`, `in`, `!`, `-`, `* / %`, `+ -`, comparisons, `&&`,
//! `||`, `? :`, `size()`, `int()`, `double()`, `string()`, `startsWith`, `endsWith`, `contains`, the
//! macros `exists`, `all`, `filter` and `map` on lists and on the keys of maps, and of Kubernetes'
//! library `quantity()` with `isLessThan`, `isGreaterThan`, `compareTo`, `add`, `sub`, `asInteger`
//! and `asApproximateFloat`.
//!
//! Differs from upstream: no `matches`, because regular expressions would double the size of the
//! engine's text handling; no types are checked beforehand, no timestamps, no map literals. The
//! crate `cel` (0.15) was weighed: alone it is 176 kB in a module after brotli, a seventh of the engine.

mod eval;
mod parse;

use std::fmt;
use std::ops::Range;

use serde_json::Value;

pub use eval::Val;
use parse::{Node, NodeKind};

/// The longest expression, in bytes.
const MAX_LENGTH: usize = 4_096;

/// What is wrong with an expression, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CelError {
    /// Bytes from the start of the expression.
    pub at: usize,
    /// In words.
    pub message: String,
}

impl fmt::Display for CelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {}: {}", self.at + 1, self.message)
    }
}

/// The values of an expression's variables.
pub type Variables<'a> = [(&'a str, &'a Value)];

/// An expression that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    text: String,
    root: Node,
}

impl Expression {
    /// Reads an expression over some variables.
    ///
    /// # Errors
    /// The first mistake.
    pub fn parse(text: &str, variables: &[&str]) -> Result<Self, CelError> {
        if text.len() > MAX_LENGTH {
            let message = format!("the expression is longer than {MAX_LENGTH} bytes");
            return Err(CelError { at: MAX_LENGTH, message });
        }
        let root = parse::parse(text, variables)?;
        Ok(Self { text: text.to_owned(), root })
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it looks at a variable.
    #[must_use]
    pub fn uses(&self, variable: &str) -> bool {
        self.root.uses(variable)
    }

    /// Its value.
    ///
    /// # Errors
    /// A field that is not there, values that do not go together, or too much work.
    pub fn evaluate<'a>(&'a self, variables: &Variables<'a>) -> Result<Val<'a>, CelError> {
        eval::evaluate(&self.root, variables)
    }

    /// Its value as a truth.
    ///
    /// # Errors
    /// As [`Expression::evaluate`], and when it is not a truth value.
    pub fn is_true(&self, variables: &Variables<'_>) -> Result<bool, CelError> {
        match self.evaluate(variables)? {
            Val::Bool(it) => Ok(it),
            it => Err(CelError { at: 0, message: format!("is {it}, not true or false") }),
        }
    }

    /// Of the parts that `&&` joins at the top, those that are not true, as they were written.
    #[must_use]
    pub fn failing(&self, variables: &Variables<'_>) -> Vec<&str> {
        let mut parts = Vec::new();
        conjuncts(&self.root, &mut parts);
        let fails = |it: &&Node| !matches!(eval::evaluate(it, variables), Ok(Val::Bool(true)));
        let texts = parts.into_iter().filter(fails).map(|it| it.span.clone());
        texts.filter_map(|it: Range<usize>| self.text.get(it)).collect()
    }
}

fn conjuncts<'a>(node: &'a Node, parts: &mut Vec<&'a Node>) {
    match &node.kind {
        NodeKind::Binary("&&", sides) => {
            conjuncts(&sides.0, parts);
            conjuncts(&sides.1, parts);
        }
        _ => parts.push(node),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Expression;

    fn check(text: &str, expected: &str) {
        let node = json!({"metadata": {"name": "n1", "labels": {"disk": "ssd", "a.b/c": "x"}},
            "spec": {"taints": [{"key": "gpu", "effect": "NoSchedule"}]},
            "status": {"allocatable": {"cpu": "3500m", "memory": "8Gi"}}});
        let pod =
            json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c"}], "n": 3}});
        let all: [(&str, &Value); 2] = [("node", &node), ("pod", &pod)];
        let value = Expression::parse(text, &["node", "pod"])
            .and_then(|it| it.evaluate(&all).map(|it| it.to_string()));
        assert_eq!(value.unwrap_or_else(|error| error.to_string()), expected, "{text}");
    }

    #[test]
    fn values_are_as_the_language_says() {
        for (text, expected) in [
            ("1 + 2 * 3 - 8 / 4 % 3", "5"),
            ("-7 / 2", "-3"),
            ("1.5 + 2.25", "3.75"),
            ("2 < 2.5 && 3 >= 3 && 'a' < 'b'", "true"),
            ("pod.spec.n == 3 ? 'yes' : 'no'", "\"yes\""),
            ("node.metadata.labels['disk'] == \"ssd\"", "true"),
            ("node.metadata.labels[\"a.b/c\"]", "\"x\""),
            ("'disk' in node.metadata.labels", "true"),
            ("'ssd' in ['hdd', 'ssd']", "true"),
            ("has(node.metadata.labels.zone)", "false"),
            ("has(node.nothing.labels)", "at 10: no such key: nothing"),
            ("node.metadata.labels.zone", "at 22: no such key: zone"),
            ("false && node.x.y == 1", "false"),
            ("node.x.y == 1 || true", "true"),
            ("node.metadata.name.startsWith('n') && !'abc'.contains('d')", "true"),
            ("'abc'.endsWith('bc')", "true"),
            ("size(pod.spec.containers) + 'äb'.size()", "3"),
            ("node.spec.taints.exists(t, t.key == 'gpu')", "true"),
            ("node.spec.taints.all(t, t.effect == 'NoExecute')", "false"),
            ("[1, 2, 3, 4].filter(x, x > 2).map(x, x * 10)", "[30, 40]"),
            ("node.metadata.labels.exists(k, k == 'disk')", "true"),
            ("int('42') + int(2.9)", "44"),
            ("string(7) + 'x'", "\"7x\""),
            ("quantity(node.status.allocatable.cpu).isGreaterThan(quantity('3'))", "true"),
            ("quantity('8Gi').compareTo(quantity(node.status.allocatable.memory))", "0"),
            ("quantity('1Gi').sub(quantity('512Mi')).asInteger()", "536870912"),
            ("null == null", "true"),
        ] {
            check(text, expected);
        }
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        for (text, expected) in [
            ("1 +", "at 4: an expression is missing"),
            ("a.b", "at 1: there is no variable a; there are node, pod"),
            ("(1", "at 3: ) is missing"),
            ("1 2", "at 3: there is something behind the end of the expression"),
            ("'abc", "at 1: the string does not end"),
            ("pod.matches('a')", "at 5: there is no function matches here"),
            ("1 + 'a'", "at 3: + does not go with 1 and \"a\""),
            ("9223372036854775807 + 1", "at 21: the number is too large"),
            ("99999999999999999999", "at 1: this is no number, or it is too large"),
            ("1 / 0", "at 3: division by zero"),
            ("has(pod)", "at 1: has() needs a field, as in has(a.b)"),
            ("1 = 1", "at 3: = is no operator; == compares"),
        ] {
            check(text, expected);
        }
        let deep = "(".repeat(500);
        check(&deep, "at 52: the expression is nested too deeply");
        let many = "[1,2,3,4,5,6,7,8,9,0]";
        let all =
            format!("{many}.all(a,{many}.all(b,{many}.all(c,{many}.all(d,{many}.all(e,true)))))");
        let expression = Expression::parse(&all, &[]).unwrap();
        assert_eq!(expression.evaluate(&[]).unwrap_err().message, "the expression costs too much");
    }

    #[test]
    fn what_fails_of_a_conjunction_is_named() {
        let pod = json!({"a": 1});
        let expression = Expression::parse("pod.a == 1 && (pod.a > 2) && pod.b", &["pod"]).unwrap();
        assert_eq!(expression.failing(&[("pod", &pod)]), ["(pod.a > 2)", "pod.b"]);
        assert!(expression.uses("pod") && !expression.uses("node"));
    }
}
