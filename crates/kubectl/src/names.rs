//! What names and label values may look like, in the words of the API machinery.
//!
//! Upstream: `staging/src/k8s.io/apimachinery/pkg/util/validation/validation.go`, v1.36.

use api::selector::Selector;

const NAME: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start \
                    and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or \
                    '123-abc', regex used for validation is \
                    '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', \
                     '_' or '.', and must start and end with an alphanumeric character (e.g. \
                     'MyValue',  or 'my_value',  or '12345', regex used for validation is \
                     '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric \
                         characters, '-' or '.', and must start and end with an alphanumeric character \
                         (e.g. 'example.com', regex used for validation is \
                         '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const QUALIFIED: &str = "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and \
                         must start and end with an alphanumeric character (e.g. 'MyName',  or \
                         'my.name',  or '123-abc', regex used for validation is \
                         '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain \
                         prefix and '/' (e.g. 'example.com/MyName')";

/// Letters and digits, with `-`, `_` and `.` inside.
fn is_name(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let edge = |c: Option<char>| c.is_some_and(|it| it.is_ascii_alphanumeric());
    edge(text.chars().next()) && edge(text.chars().last()) && text.chars().all(inner)
}

fn is_subdomain(text: &str) -> bool {
    text.split('.').all(|label| {
        let ok = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        label.starts_with(ok) && label.ends_with(ok) && label.chars().all(|c| ok(c) || c == '-')
    })
}

/// What is wrong with a label value.
pub(crate) fn label_value(value: &str) -> Vec<String> {
    let mut problems = vec![];
    if value.len() > 63 {
        problems.push("must be no more than 63 bytes".to_owned());
    }
    if !value.is_empty() && !is_name(value) {
        problems.push(VALUE.to_owned());
    }
    problems
}

/// What is wrong with a key such as `example.com/name`. Upstream: `IsQualifiedName`.
pub(crate) fn qualified_name(key: &str) -> Vec<String> {
    let mut problems = vec![];
    let parts: Vec<&str> = key.split('/').collect();
    let name = match parts[..] {
        [name] => name,
        [prefix, name] => {
            if prefix.is_empty() {
                problems.push("prefix part must be non-empty".to_owned());
            } else if !is_subdomain(prefix) {
                problems.push(format!("prefix part {SUBDOMAIN}"));
            }
            name
        }
        _ => return vec![QUALIFIED.to_owned()],
    };
    if name.is_empty() {
        problems.push("name part must be non-empty".to_owned());
    } else if name.len() > 63 {
        problems.push("name part must be no more than 63 bytes".to_owned());
    }
    if !is_name(name) {
        problems.push(NAME.to_owned());
    }
    problems
}

/// Reads the text of a label selector and looks at its keys and values, which the API machinery
/// does in one. Upstream: `labels.Parse`, `NewRequirement`.
pub(crate) fn selector(text: &str) -> Result<Selector, String> {
    let selector = Selector::parse(text)?;
    for it in &selector.requirements {
        let key = [("<nil>".to_owned(), &it.key, qualified_name(&it.key))];
        let values = it.values.iter().enumerate();
        let values = values
            .map(|(n, value)| (format!("values[{n}][{}]", it.key), value, label_value(value)));
        if let Some((path, value, why)) = key.into_iter().chain(values).find(|it| !it.2.is_empty())
        {
            return Err(format!(
                "unable to parse requirement: {path}: Invalid value: {}: {}",
                api::fields::quote(value),
                why.join("; ").replace("a qualified name", "a valid label key")
            ));
        }
    }
    Ok(selector)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_are_checked() {
        assert_eq!(label_value("a_b-c.d"), [""; 0]);
        assert_eq!(label_value("-bad").len(), 1);
        assert_eq!(qualified_name("example.com/a"), [""; 0]);
        assert_eq!(qualified_name("").len(), 2);
        assert_eq!(qualified_name("A/b").len(), 1);
        assert_eq!(qualified_name("a/b/c"), [QUALIFIED]);
    }

    #[test]
    fn the_keys_and_values_of_a_selector_are_checked() {
        let why = |text: &str| selector(text).unwrap_err();
        let of = "unable to parse requirement: ";
        assert_eq!(why("a-"), format!("{of}<nil>: Invalid value: \"a-\": {NAME}"));
        assert_eq!(why("a=-b"), format!("{of}values[0][a]: Invalid value: \"-b\": {VALUE}"));
        assert!(selector("a=b,c in (d,),!e").is_ok());
    }
}
