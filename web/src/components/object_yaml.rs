//! The live object as YAML, with the lines that the last step changed.

use std::collections::BTreeMap;

use yew::prelude::*;

use crate::app::Subject;
use crate::shared::Shared;

#[derive(PartialEq, Properties)]
pub struct Props {
    pub subject: Shared<Subject>,
}

/// Coloured text; changed lines are marked.
#[component]
pub fn ObjectYaml(props: &Props) -> Html {
    let subject = &props.subject;
    if subject.yaml.is_empty() {
        return html! { <p class="muted">{ "The object does not exist at this time." }</p> };
    }
    let new = new_lines(&subject.yaml_before, &subject.yaml);
    let line = |(text, is_new): (&str, bool)| {
        let class = if is_new { "new" } else { "old" };
        html! { <span {class}>{ colored(text) }{ "\n" }</span> }
    };
    html! {
        <pre class="yaml" data-testid="object-yaml" tabindex="0">{ for subject.yaml.lines().zip(new).map(line) }</pre>
    }
}

/// For each line of `now`: was it not in `before`? Lines count as often as they occur.
fn new_lines(before: &str, now: &str) -> Vec<bool> {
    let mut known: BTreeMap<&str, usize> = BTreeMap::new();
    for line in before.lines() {
        *known.entry(line).or_default() += 1;
    }
    now.lines()
        .map(|line| match known.get_mut(line) {
            Some(n) if *n > 0 => {
                *n -= 1;
                false
            }
            _ => true,
        })
        .collect()
}

fn colored(line: &str) -> Html {
    let Some((key, value)) = split(line) else {
        return html! { <span class="v">{ line.to_owned() }</span> };
    };
    let class = if value.trim().starts_with(|it: char| it.is_ascii_digit())
        || matches!(value.trim(), "true" | "false" | "null")
    {
        "n"
    } else {
        "v"
    };
    html! { <><span class="k">{ key.to_owned() }</span>{ ":" }<span {class}>{ value.to_owned() }</span></> }
}

/// Key and value of a line such as `  - name: web`.
fn split(line: &str) -> Option<(&str, &str)> {
    let at = line.find(": ").or_else(|| line.strip_suffix(':').map(str::len))?;
    let (key, value) = line.split_at(at);
    Some((key, value.get(1..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_that_were_not_there_before_are_new() {
        assert_eq!(
            new_lines("a: 1\nb: 2\nb: 2", "a: 1\nb: 3\nb: 2\nb: 2"),
            [false, true, false, false]
        );
        assert_eq!(new_lines("", "a: 1"), [true]);
    }

    #[test]
    fn lines_split_at_their_colon() {
        assert_eq!(split("  - name: web"), Some(("  - name", " web")));
        assert_eq!(split("spec:"), Some(("spec", "")));
        assert_eq!(split("- x"), None);
    }
}
