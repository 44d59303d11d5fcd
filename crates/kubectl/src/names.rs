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

/// Upstream: `IsDNS1123Subdomain`.
pub(crate) fn is_subdomain(text: &str) -> bool {
    text.split('.').all(|label| {
        let ok = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        label.starts_with(ok) && label.ends_with(ok) && label.chars().all(|c| ok(c) || c == '-')
    })
}

/// Whether a text names an image. Upstream: `ReferenceRegexp` of
/// `github.com/distribution/reference`.
pub(crate) fn is_image(text: &str) -> bool {
    let (text, digest) = text.split_once('@').map_or((text, None), |it| (it.0, Some(it.1)));
    let last = text.rfind('/').map_or(0, |it| it + 1);
    let (name, tag) = match text[last..].rfind(':') {
        Some(at) => (&text[..last + at], Some(&text[last + at + 1..])),
        None => (text, None),
    };
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let tag_fits = tag.is_none_or(|it| {
        it.starts_with(word) && it.len() <= 128 && it.chars().all(|c| word(c) || ".-".contains(c))
    });
    let digest_fits = digest.is_none_or(|it| {
        it.split_once(':').is_some_and(|(algorithm, hex)| {
            let parts = algorithm.split(['-', '_', '+', '.']);
            let letters = |it: &str| {
                it.starts_with(|c: char| c.is_ascii_alphabetic())
                    && it.chars().all(|c| c.is_ascii_alphanumeric())
            };
            parts.into_iter().all(letters)
                && hex.len() >= 32
                && hex.chars().all(|c| c.is_ascii_hexdigit())
        })
    });
    let parts: Vec<&str> = name.split('/').collect();
    let (first, rest) = parts.split_first().map_or(("", &[][..]), |it| (*it.0, it.1));
    let first_fits = is_path_component(first) || !rest.is_empty() && is_domain(first);
    tag_fits && digest_fits && first_fits && rest.iter().all(|it| is_path_component(it))
}

/// Small letters and digits, with `.`, `_`, `__` or dashes between them.
fn is_path_component(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let separators = text.split(plain).filter(|it| !it.is_empty());
    text.starts_with(plain) && text.ends_with(plain) && { separators }
        .all(|it| matches!(it, "." | "_" | "__") || it.chars().all(|c| c == '-'))
}

/// A host, perhaps with a port.
fn is_domain(text: &str) -> bool {
    if let Some(inside) = text.strip_prefix('[') {
        let address = |it: &str| it.chars().all(|c| c.is_ascii_hexdigit() || c == ':');
        return inside
            .split_once(']')
            .is_some_and(|(it, port)| address(it) && (port.is_empty() || port.starts_with(':')));
    }
    let (host, port) = text.split_once(':').map_or((text, "0"), |it| it);
    let label = |it: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric();
        it.starts_with(plain) && it.ends_with(plain) && it.chars().all(|c| plain(c) || c == '-')
    };
    host.split('.').all(label) && !port.is_empty() && port.chars().all(|c| c.is_ascii_digit())
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

/// Why a name cannot be part of a request's path. Upstream:
/// `staging/src/k8s.io/apimachinery/pkg/api/validation/path/name.go`, `client-go/rest/request.go`.
pub(crate) fn unfit_for_path(name: &str) -> Option<String> {
    let refused = |why: &str| Some(format!("invalid resource name {name:?}: [{why}]"));
    match name {
        "" => Some("resource name may not be empty".to_owned()),
        "." | ".." => refused(&format!("may not be '{name}'")),
        _ if name.contains('/') => refused("may not contain '/'"),
        _ if name.contains('%') => refused("may not contain '%'"),
        _ => None,
    }
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
    fn images_are_named_as_registries_let_one_name_them() {
        let check = |text: &str, expected: bool| assert_eq!(is_image(text), expected, "{text}");
        for text in [
            "nginx",
            "nginx:1.27",
            "docker.io/library/nginx",
            "localhost:5000/a/b_c:v1",
            "a__b/c-d",
            "k8s.gcr.io/pause@sha256:0123456789abcdef0123456789abcdef",
            "[::1]:80/x",
            "Reg.io/x",
        ] {
            check(text, true);
        }
        for text in
            ["", "X", "a/B", "a b", "a:", "a:b:c", "a//b", "-a", "a___b", "a@sha256:12", "a/b:"]
        {
            check(text, false);
        }
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
