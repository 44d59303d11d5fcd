//! Label selectors, node selectors, and the text form of `kubectl -l`.
//!
//! Upstream: `staging/src/k8s.io/apimachinery/pkg/labels/selector.go` and
//! `staging/src/k8s.io/component-helpers/scheduling/corev1/nodeaffinity/nodeaffinity.go`, v1.36.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Node, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

/// Labels as objects carry them.
pub type Labels = BTreeMap<String, String>;

/// How a requirement compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// The value is one of the values.
    In,
    /// The value is none of the values, or there is no such label.
    NotIn,
    /// There is such a label.
    Exists,
    /// There is no such label.
    DoesNotExist,
    /// The value is an integer greater than the one value.
    Gt,
    /// The value is an integer less than the one value.
    Lt,
}

impl Operator {
    /// Reads the operator as manifests spell it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "In" => Self::In,
            "NotIn" => Self::NotIn,
            "Exists" => Self::Exists,
            "DoesNotExist" => Self::DoesNotExist,
            "Gt" => Self::Gt,
            "Lt" => Self::Lt,
            _ => return None,
        })
    }
}

/// One requirement on one label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The label's key.
    pub key: String,
    /// How to compare.
    pub operator: Operator,
    /// With what.
    pub values: Vec<String>,
}

impl Requirement {
    /// Whether a value (`None`: no such label) meets the requirement.
    #[must_use]
    pub fn accepts(&self, value: Option<&str>) -> bool {
        let is_listed = |value: &str| self.values.iter().any(|it| it == value);
        match (self.operator, value) {
            (Operator::In, value) => value.is_some_and(is_listed),
            (Operator::NotIn, value) => !value.is_some_and(is_listed),
            (Operator::Exists, value) => value.is_some(),
            (Operator::DoesNotExist, value) => value.is_none(),
            (Operator::Gt | Operator::Lt, value) => {
                let Some(value) = value.and_then(|it| it.parse::<i64>().ok()) else { return false };
                let Some(bound) = self.values.first().and_then(|it| it.parse::<i64>().ok()) else {
                    return false;
                };
                if self.operator == Operator::Gt { value > bound } else { value < bound }
            }
        }
    }
}

/// All requirements must be met; without any, everything matches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    /// The requirements, in the order in which they were written.
    pub requirements: Vec<Requirement>,
}

impl Selector {
    /// The selector of `matchLabels` and `matchExpressions`. An expression with an operator that
    /// label selectors do not have makes it `None`: it matches nothing.
    #[must_use]
    pub fn of(selector: &LabelSelector) -> Option<Self> {
        let equal = |(key, value): (&String, &String)| Requirement {
            key: key.clone(),
            operator: Operator::In,
            values: vec![value.clone()],
        };
        let mut requirements: Vec<_> = selector.match_labels.iter().flatten().map(equal).collect();
        for it in selector.match_expressions.iter().flatten() {
            let operator = Operator::parse(&it.operator)?;
            if matches!(operator, Operator::Gt | Operator::Lt) {
                return None;
            }
            let values = it.values.clone().unwrap_or_default();
            requirements.push(Requirement { key: it.key.clone(), operator, values });
        }
        Some(Self { requirements })
    }

    /// Whether labels meet all requirements.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        self.requirements.iter().all(|it| it.accepts(labels.get(&it.key).map(String::as_str)))
    }

    /// Reads `a=b,c!=d,e in (f,g),h notin (i),j,!k,l>1`. Upstream: `labels.Parse`.
    ///
    /// # Errors
    /// A sentence in upstream's words.
    pub fn parse(text: &str) -> Result<Self, String> {
        parser::parse(text)
    }
}

/// Whether labels meet a label selector. An empty selector matches everything.
#[must_use]
pub fn matches(selector: &LabelSelector, labels: Option<&Labels>) -> bool {
    let empty = Labels::new();
    let labels = labels.unwrap_or(&empty);
    let has = |(key, value): (&String, &String)| labels.get(key) == Some(value);
    if !selector.match_labels.iter().flatten().all(has) {
        return false;
    }
    selector.match_expressions.iter().flatten().all(|it| {
        let value = labels.get(&it.key);
        let listed = || value.is_some_and(|value| it.values.iter().flatten().any(|v| v == value));
        match it.operator.as_str() {
            "In" => listed(),
            "NotIn" => !listed(),
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            _ => false,
        }
    })
}

/// Whether a node meets one of the terms. A selector without terms matches no node.
#[must_use]
pub fn node_selector_matches(selector: &NodeSelector, node: &Node) -> bool {
    selector.node_selector_terms.iter().any(|term| node_term_matches(term, node))
}

/// Whether a node meets all expressions and fields of a term. An empty term matches no node.
#[must_use]
pub fn node_term_matches(term: &NodeSelectorTerm, node: &Node) -> bool {
    let expressions = term.match_expressions.as_deref().unwrap_or_default();
    let fields = term.match_fields.as_deref().unwrap_or_default();
    if expressions.is_empty() && fields.is_empty() {
        return false;
    }
    expressions.iter().all(|it| node_expression_matches(it, node))
        && fields.iter().all(|it| node_field_matches(it, node))
}

/// Whether a node's labels meet one expression.
#[must_use]
pub fn node_expression_matches(expression: &NodeSelectorRequirement, node: &Node) -> bool {
    let labels = node.metadata.labels.as_ref();
    let value = labels.and_then(|it| it.get(&expression.key)).map(String::as_str);
    requirement_of(expression).is_some_and(|it| it.accepts(value))
}

/// Whether a node's fields meet one expression; `metadata.name` is the only field there is.
#[must_use]
pub fn node_field_matches(expression: &NodeSelectorRequirement, node: &Node) -> bool {
    let value = match expression.key.as_str() {
        "metadata.name" => node.metadata.name.as_deref().unwrap_or_default(),
        _ => "",
    };
    match (expression.operator.as_str(), expression.values.as_deref()) {
        ("In", Some([one])) => one == value,
        ("NotIn", Some([one])) => one != value,
        _ => false,
    }
}

/// The expression in the form that compares.
#[must_use]
pub fn requirement_of(expression: &NodeSelectorRequirement) -> Option<Requirement> {
    Some(Requirement {
        key: expression.key.clone(),
        operator: Operator::parse(&expression.operator)?,
        values: expression.values.clone().unwrap_or_default(),
    })
}

/// The grammar of `-l`.
mod parser {
    use std::collections::BTreeSet;

    use super::{Operator, Requirement, Selector};

    #[derive(Clone, Debug, PartialEq, Eq)]
    enum Token {
        Word(String),
        Symbol(&'static str),
        End,
    }

    impl Token {
        fn text(&self) -> &str {
            match self {
                Token::Word(it) => it,
                Token::Symbol(it) => it,
                Token::End => "",
            }
        }
    }

    const SYMBOLS: [&str; 9] = ["!=", "==", "=", "!", "(", ")", ",", ">", "<"];

    fn tokens(text: &str) -> Vec<Token> {
        let mut tokens = Vec::new();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            if let Some(symbol) = SYMBOLS.into_iter().find(|it| rest.starts_with(it)) {
                tokens.push(Token::Symbol(symbol));
                rest = &rest[symbol.len()..];
            } else {
                let stop = |c: char| c.is_whitespace() || "=!(),><".contains(c);
                let end = rest.find(stop).unwrap_or(rest.len());
                tokens.push(Token::Word(rest[..end].to_owned()));
                rest = &rest[end..];
            }
            rest = rest.trim_start();
        }
        tokens.push(Token::End);
        tokens
    }

    struct Parser {
        tokens: Vec<Token>,
        at: usize,
    }

    impl Parser {
        fn peek(&self) -> &Token {
            self.tokens.get(self.at).unwrap_or(&Token::End)
        }

        fn next(&mut self) -> Token {
            let token = self.peek().clone();
            self.at += 1;
            token
        }

        fn requirement(&mut self) -> Result<Requirement, String> {
            let negated = *self.peek() == Token::Symbol("!");
            if negated {
                self.next();
            }
            let key = match self.next() {
                Token::Word(word) => word,
                token => {
                    let text = token.text();
                    return Err(format!("found '{text}', expected: identifier"));
                }
            };
            let simple = |operator, key| Ok(Requirement { key, operator, values: vec![] });
            if negated {
                return simple(Operator::DoesNotExist, key);
            }
            if matches!(self.peek(), Token::End | Token::Symbol(",")) {
                return simple(Operator::Exists, key);
            }
            let token = self.next();
            let operator = match token.text() {
                "=" | "==" | "in" => Operator::In,
                "!=" | "notin" => Operator::NotIn,
                ">" => Operator::Gt,
                "<" => Operator::Lt,
                text => {
                    return Err(format!("found '{text}', expected: in, notin, =, ==, !=, gt, lt"));
                }
            };
            let values = match token.text() {
                "in" | "notin" => self.values()?,
                _ => vec![self.exact_value()?],
            };
            if matches!(operator, Operator::Gt | Operator::Lt) && values[0].parse::<i64>().is_err()
            {
                return Err("for 'Gt', 'Lt' operators, the value must be an integer".to_owned());
            }
            Ok(Requirement { key, operator, values })
        }

        fn exact_value(&mut self) -> Result<String, String> {
            match self.peek() {
                Token::End | Token::Symbol(",") => Ok(String::new()),
                Token::Word(_) => Ok(self.next().text().to_owned()),
                token => Err(format!("found '{}', expected: identifier", token.text())),
            }
        }

        fn values(&mut self) -> Result<Vec<String>, String> {
            let token = self.next();
            if token != Token::Symbol("(") {
                return Err(format!("found '{}' expected: '('", token.text()));
            }
            if *self.peek() == Token::Symbol(")") {
                self.next();
                return Ok(vec![String::new()]);
            }
            let values = self.identifiers()?;
            self.next();
            Ok(values.into_iter().collect())
        }

        /// Up to the closing parenthesis, sorted. Of commas without a word between them comes the
        /// empty text.
        fn identifiers(&mut self) -> Result<BTreeSet<String>, String> {
            let mut values = BTreeSet::new();
            loop {
                match self.next() {
                    Token::Word(word) => {
                        values.insert(word);
                        match self.peek() {
                            Token::Symbol(",") => {}
                            Token::Symbol(")") => return Ok(values),
                            token => {
                                let text = token.text();
                                return Err(format!("found '{text}', expected: ',' or ')'"));
                            }
                        }
                    }
                    Token::Symbol(",") => {
                        let closes = *self.peek() == Token::Symbol(")");
                        if values.is_empty() || closes || *self.peek() == Token::Symbol(",") {
                            values.insert(String::new());
                        }
                        if closes {
                            return Ok(values);
                        }
                    }
                    token => {
                        let text = token.text();
                        return Err(format!("found '{text}', expected: ',', or identifier"));
                    }
                }
            }
        }
    }

    pub(super) fn parse(text: &str) -> Result<Selector, String> {
        let fail = |why: String| format!("unable to parse requirement: {why}");
        let mut parser = Parser { tokens: tokens(text), at: 0 };
        let mut requirements = Vec::new();
        match parser.peek() {
            Token::End => return Ok(Selector::default()),
            Token::Word(_) | Token::Symbol("!") => {}
            token => {
                let text = token.text();
                return Err(format!("found '{text}', expected: !, identifier, or 'end of string'"));
            }
        }
        loop {
            requirements.push(parser.requirement().map_err(fail)?);
            match parser.next() {
                Token::End => return Ok(Selector { requirements }),
                Token::Symbol(",") => {
                    if !matches!(parser.peek(), Token::Word(_) | Token::Symbol("!")) {
                        let found = parser.peek().text();
                        return Err(format!("found '{found}', expected: identifier after ','"));
                    }
                }
                token => {
                    let text = token.text();
                    return Err(format!("found '{text}', expected: ',' or 'end of string'"));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn a_selector_text_selects_what_kubectl_would() {
        let it = labels(&[("app", "web"), ("tier", "front"), ("cores", "8")]);
        for (text, expected) in [
            ("", true),
            ("app=web", true),
            ("app==web,tier!=back", true),
            ("app in (web, api)", true),
            ("app notin (web)", false),
            ("app in (api,,web)", true),
            ("app in (,web)", true),
            ("none in (a,)", false),
            ("app in ()", false),
            ("none notin (web)", true),
            ("app", true),
            ("!app", false),
            ("!none", true),
            ("cores>4", true),
            ("cores<8", false),
            ("app=", false),
        ] {
            assert_eq!(Selector::parse(text).map(|s| s.matches(&it)), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_wrong_selector_text_is_refused() {
        const END: &str = "expected: ',' or 'end of string'";
        for (text, words) in [
            ("app in web", "unable to parse requirement: found 'web' expected: '('"),
            ("=a", "found '=', expected: !, identifier, or 'end of string'"),
            ("!=a", "found '!=', expected: !, identifier, or 'end of string'"),
            ("! !a", "unable to parse requirement: found '!', expected: identifier"),
            ("a,,b", "found ',', expected: identifier after ','"),
            ("a=b=c", &format!("found '=', {END}")),
            ("a in (b) c", &format!("found 'c', {END}")),
            ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
            (
                "cores>x",
                "unable to parse requirement: for 'Gt', 'Lt' operators, the value must be an integer",
            ),
            (
                "a b",
                "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt",
            ),
        ] {
            assert_eq!(Selector::parse(text).unwrap_err(), words, "{text}");
        }
    }

    #[test]
    fn a_term_without_expressions_matches_no_node() {
        let node = Node::default();
        assert!(!node_term_matches(&NodeSelectorTerm::default(), &node));
        assert!(!node_selector_matches(&NodeSelector::default(), &node));
    }

    #[test]
    fn gt_compares_integers_and_nothing_else() {
        for (value, expected) in [("4", true), ("2", false), ("3", false), ("four", false)] {
            let it = Requirement {
                key: "numberCores".into(),
                operator: Operator::Gt,
                values: vec!["3".into()],
            };
            assert_eq!(it.accepts(Some(value)), expected, "{value}");
        }
    }
}
