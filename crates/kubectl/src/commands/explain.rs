//! `kubectl explain`.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/cmd/explain/explain.go`,
//! `staging/src/k8s.io/kubectl/pkg/explain/v2/templates/plaintext.tmpl`, v1.36.
//! Differs from upstream: the values of an enum are listed without what they mean; only the format
//! `plaintext` is there.

use std::fmt::Write;

use api::Kind;

use super::{Next, Session};
use crate::args::{Flag, switch, value};
use crate::documentation::{Documentation, Field};
use crate::failure::Failure;
use crate::resources;

pub(super) const FLAGS: &[Flag] =
    &[switch("recursive").or('R'), value("api-version"), value("output").or('o')];

/// How wide the paragraphs are, and those of a field's own description.
const WIDTH: usize = 76;

pub(super) fn run(session: &mut Session<'_>) -> Result<Next, Failure> {
    let words = session.args.positional.clone();
    let word = match &words[..] {
        [word] => word.trim_end_matches('.'),
        [] => {
            return Err(Failure::text(
                "You must specify the type of resource to explain. Use \"kubectl api-resources\" for \
                 a complete list of supported resources.\n",
            ));
        }
        _ => return Err(Failure::text("We accept only this format: explain RESOURCE\n")),
    };
    if let Some(other) = session.args.get("output").filter(|it| !matches!(*it, "" | "plaintext")) {
        let known = other == "plaintext-openapiv2";
        return Err(Failure::Text(match known {
            true => format!("the output format {other:?} is not available here"),
            false => format!("unrecognized format: {other}"),
        }));
    }
    let (kind, path) = resource_and_fields(word)?;
    if let Some(version) = session.args.get("api-version")
        && version != kind.api_version()
    {
        let group = version.split_once('/').map_or("", |it| it.0);
        let version = version.rsplit('/').next().unwrap_or_default();
        return Err(Failure::Text(format!(
            "couldn't find resource for \"{group}/{version}, Resource={}\"",
            kind.plural()
        )));
    }
    let Some(documentation) = session.client.documentation() else {
        return Err(Failure::text(
            "the documentation of the fields is not loaded; it comes with the page and with the \
             native program",
        ));
    };
    let text = explain(&Documentation(documentation), kind, &path, session.args.is_on("recursive"));
    match text {
        Some(text) => session.output.out(text),
        None => {
            session.output.out(head(kind));
            let last = path.last().copied().unwrap_or_default();
            return Err(Failure::Text(format!("field {last:?} does not exist")));
        }
    }
    Ok(Next::Done)
}

/// The kind and the fields of `deployments.apps.spec.replicas`, `pod.spec`.
fn resource_and_fields(word: &str) -> Result<(Kind, Vec<&str>), Failure> {
    let first = word.split('.').next().unwrap_or_default();
    let qualified = Kind::ALL.iter().copied().find_map(|kind| {
        let rest = word.strip_prefix(&kind.qualified_resource())?;
        (rest.is_empty() || rest.starts_with('.')).then_some((kind, rest))
    });
    let (kind, rest) = match qualified {
        Some(found) => found,
        None => {
            let kind = resources::kind(first).map_err(Failure::without_prefix)?;
            (kind, word.strip_prefix(first).unwrap_or_default())
        }
    };
    Ok((kind, rest.split('.').filter(|it| !it.is_empty()).collect()))
}

fn head(kind: Kind) -> String {
    let mut text = String::new();
    if !kind.group().is_empty() {
        let _ = writeln!(text, "GROUP:      {}", kind.group());
    }
    let _ = write!(text, "KIND:       {kind}\nVERSION:    {}\n\n", kind.version());
    text
}

/// The whole text; `None` if the path leads nowhere.
fn explain(doc: &Documentation<'_>, kind: Kind, path: &[&str], recursive: bool) -> Option<String> {
    let mut text = head(kind);
    let mut shape = kind.name();
    let mut own = String::new();
    for (n, name) in path.iter().enumerate() {
        let field = doc.fields(inner(shape)).find(|it| it.name == *name)?;
        if n + 1 == path.len() {
            let _ = write!(
                text,
                "FIELD: {name} <{}>\n{}\n\n",
                shape_of(doc, &field),
                long_enum(&field)
            );
            own = described(&field);
        }
        shape = field.shape;
    }
    if !own.is_empty() {
        own.push('\n');
    }
    if let Some(of_type) = doc.description(inner(shape)).filter(|it| !it.is_empty()) {
        own.push_str(&of_type);
        own.push('\n');
    }
    if own.is_empty() {
        own.push_str("<empty>");
    }
    let _ = writeln!(text, "DESCRIPTION:\n{}", indented(&wrapped(&own, WIDTH), 4));
    let mut fields = String::new();
    list(&mut fields, doc, shape, 1, recursive, &mut vec![]);
    if !fields.is_empty() {
        let _ = write!(text, "FIELDS:\n{fields}");
    }
    text.push('\n');
    Some(text)
}

/// The fields of a type; each once on the way down, because some types contain themselves.
fn list<'a>(
    text: &mut String,
    doc: &Documentation<'a>,
    shape: &'a str,
    level: usize,
    recursive: bool,
    above: &mut Vec<&'a str>,
) {
    let name = inner(shape);
    if above.contains(&name) {
        return;
    }
    above.push(name);
    let indent = level * 2;
    for field in doc.fields(name) {
        let required = if field.required { " -required-" } else { "" };
        let shape = shape_of(doc, &field);
        let _ = write!(text, "{:indent$}{}\t<{shape}>{required}", "", field.name);
        if !field.values.is_empty() {
            let _ = write!(text, "\n{:indent$}enum: {}", "", short_enum(field.values));
        }
        text.push('\n');
        if recursive {
            list(text, doc, field.shape, level + 1, recursive, above);
            continue;
        }
        let own = described(&field);
        let own = if own.is_empty() { "<no description>" } else { &own };
        let _ = write!(text, "{}\n\n", indented(&wrapped(own, 78 - indent), indent + 2));
    }
    above.pop();
}

/// The description of a field with the values that it may have.
fn described(field: &Field<'_>) -> String {
    let mut text = field.description();
    if !field.values.is_empty() {
        text.push_str("\n\nPossible enum values:");
        for value in field.values.split(',') {
            let _ = write!(text, "\n - `\"{value}\"`");
        }
    }
    text
}

fn shown(value: &str) -> &str {
    if value.is_empty() { "\"\"" } else { value }
}

/// At most four.
fn short_enum(values: &str) -> String {
    let all: Vec<&str> = values.split(',').map(shown).collect();
    match all.len() {
        0..=4 => all.join(", "),
        _ => format!("{}, ....", all[..4].join(", ")),
    }
}

fn long_enum(field: &Field<'_>) -> String {
    if field.values.is_empty() {
        return String::new();
    }
    let lines: String = field.values.split(',').map(|it| format!("\n    {}", shown(it))).collect();
    format!("ENUM:{lines}")
}

/// `[]Container`, `string`: types that are plain JSON values are shown as such.
fn shape_of(doc: &Documentation<'_>, field: &Field<'_>) -> String {
    let name = inner(field.shape);
    match doc.plain(name) {
        Some(plain) if !plain.is_empty() => field.shape.replace(name, plain),
        _ => field.shape.to_owned(),
    }
}

/// The type inside lists and maps.
fn inner(shape: &str) -> &str {
    shape.rsplit(']').next().unwrap_or(shape)
}

fn indented(text: &str, n: usize) -> String {
    let pad = " ".repeat(n);
    format!("{pad}{}", text.replace('\n', &format!("\n{pad}")))
}

/// Breaks lines at blanks where they would be longer than `limit`. Blanks at a break are dropped;
/// a word that is longer than a line stays whole. Upstream: `mitchellh/go-wordwrap`.
fn wrapped(text: &str, limit: usize) -> String {
    let mut out = String::new();
    let mut column = 0;
    let (mut blanks, mut word) = (String::new(), String::new());
    let (mut n_blanks, mut n_word) = (0, 0);
    for c in text.chars() {
        if c == '\n' {
            if n_word > 0 || column + n_blanks <= limit {
                out.push_str(&blanks);
            }
            out.push_str(&word);
            out.push('\n');
            blanks.clear();
            word.clear();
            (column, n_blanks, n_word) = (0, 0, 0);
        } else if c.is_whitespace() && c != '\u{a0}' {
            if n_blanks == 0 || n_word > 0 {
                column += n_blanks + n_word;
                out.push_str(&blanks);
                out.push_str(&word);
                blanks.clear();
                word.clear();
                (n_blanks, n_word) = (0, 0);
            }
            blanks.push(c);
            n_blanks += 1;
        } else {
            word.push(c);
            n_word += 1;
            if column + n_blanks + n_word > limit && n_word < limit {
                out.push('\n');
                blanks.clear();
                (column, n_blanks) = (0, 0);
            }
        }
    }
    if n_word > 0 || column + n_blanks <= limit {
        out.push_str(&blanks);
    }
    out.push_str(&word);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOC: &str = "\
#Pod\t\tA pod.
apiVersion\tstring\t\tThe version.
spec\tPodSpec\t\tWhat is wanted.
#PodSpec\t\tThe spec of a pod.
containers\t[]Box!\t\tSome\\nboxes.
policy\tstring\tAlways,Never,,x,y\t
since\tTime\t\t
#Box\t\tA box.
inner\tBox\t\t
name\tstring!\t\t
#Time\tstring\tA time.
";

    fn check(path: &[&str], recursive: bool, expected: Option<&str>) {
        let text = explain(&Documentation(DOC), Kind::Pod, path, recursive);
        assert_eq!(text.as_deref(), expected);
    }

    #[test]
    fn a_kind_and_its_fields_are_explained() {
        check(
            &["spec"],
            false,
            Some(
                "KIND:       Pod\nVERSION:    v1\n\nFIELD: spec <PodSpec>\n\n\nDESCRIPTION:\n    What is \
                 wanted.\n    The spec of a pod.\n    \nFIELDS:\n  containers\t<[]Box> -required-\n    \
                 Some\n    boxes.\n\n  policy\t<string>\n  enum: Always, Never, \"\", x, ....\n    \n    \
                 \n    Possible enum values:\n     - `\"Always\"`\n     - `\"Never\"`\n     - `\"\"`\n     \
                 - `\"x\"`\n     - `\"y\"`\n\n  since\t<string>\n    <no description>\n\n\n",
            ),
        );
        check(&["spec", "nope"], false, None);
        check(
            &["spec", "containers"],
            true,
            Some(
                "KIND:       Pod\nVERSION:    v1\n\nFIELD: containers <[]Box>\n\n\nDESCRIPTION:\n    \
                 Some\n    boxes.\n    A box.\n    \nFIELDS:\n  inner\t<Box>\n  name\t<string> \
                 -required-\n\n",
            ),
        );
    }

    #[test]
    fn lines_break_at_blanks() {
        let check = |text: &str, expected: &str| assert_eq!(wrapped(text, 10), expected);
        check("one two three four", "one two\nthree four");
        check("a  b\n\n  c", "a  b\n\n  c");
        check("x averyverylongword y", "x\naveryverylongword\ny");
    }

    #[test]
    fn groups_may_stand_between_resource_and_fields() {
        let check = |word: &str, kind: Kind, fields: &[&str]| {
            assert_eq!(resource_and_fields(word).unwrap(), (kind, fields.to_vec()), "{word}");
        };
        check("pods.spec.containers", Kind::Pod, &["spec", "containers"]);
        check("deployments.apps.spec", Kind::Deployment, &["spec"]);
        check("deploy.spec", Kind::Deployment, &["spec"]);
    }
}
