//! How a command fails, and how that is printed.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/cmd/util/helpers.go` (`checkErr`), v1.36.

use api::{ApiError, ApiReason};

/// Why a command, or a part of it, failed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Failure {
    /// `error: ...`.
    Text(String),
    /// `error: ...` and a line that points to the help of the command.
    Usage(String),
    /// A mistake in the flags: as `Usage`, in cobra's words.
    Flags(String),
    /// The server's refusal; the text stands before its message.
    Api(String, ApiError),
    /// Printed as it is.
    Raw(String),
    /// What was printed to standard output before it.
    After(String, Box<Failure>),
    /// Several; each is printed on its own line.
    Many(Vec<Failure>),
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self::Api(String::new(), error)
    }
}

impl Failure {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// None for no failure, itself for one.
    pub(crate) fn all(mut failures: Vec<Failure>) -> Result<(), Failure> {
        match failures.len() {
            0 => Ok(()),
            1 => Err(failures.remove(0)),
            _ => Err(Self::Many(failures)),
        }
    }

    /// As it is told by the commands that do not say that it is an error.
    pub(crate) fn without_prefix(self) -> Self {
        match self {
            Self::Text(text) if text.starts_with("the server doesn't have") => {
                Self::Raw(format!("{text}\n"))
            }
            other => other,
        }
    }

    /// With `error when creating "STDIN": ` before the server's message.
    pub(crate) fn when(self, verb: &str, source: &str) -> Self {
        match self {
            Self::Api(_, error) => {
                Self::Api(format!("error when {verb} {}: ", api::fields::quote(source)), error)
            }
            Self::Text(text) => {
                Self::Text(format!("error when {verb} {}: {text}", api::fields::quote(source)))
            }
            other => other,
        }
    }

    /// Whether the server said that there is no such object.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Api(_, error) if error.reason == ApiReason::NotFound)
    }

    /// What is printed to standard error.
    pub(crate) fn print(&self, command: &str) -> String {
        match self {
            Self::Text(text) => format!("{}\n", prefixed(text.trim_end_matches('\n'))),
            Self::Usage(text) => {
                format!("error: {text}\nSee '{command} -h' for help and examples\n")
            }
            Self::Flags(text) => format!("error: {text}\nSee '{command} --help' for usage.\n"),
            Self::Api(_, error) if error.reason == ApiReason::Invalid => invalid(error),
            Self::Api(before, error) => format!("{}\n", server(before, error)),
            Self::Raw(text) => text.clone(),
            Self::After(_, failure) => failure.print(command),
            Self::Many(all) => {
                let line = |it: &Self| match it {
                    Self::Api(before, error) => format!("{}\n", server(before, error)),
                    Self::Text(text) => format!("{}\n", text.trim_end_matches('\n')),
                    other => other.print(command),
                };
                all.iter().map(line).collect()
            }
        }
    }
}

fn prefixed(text: &str) -> String {
    if text.starts_with("error: ") { text.to_owned() } else { format!("error: {text}") }
}

/// `Error from server (NotFound): ...`. Upstream: `StandardErrorMessage`.
fn server(before: &str, error: &ApiError) -> String {
    let reason = match error.reason {
        ApiReason::Unknown => String::new(),
        reason => format!(" ({reason})"),
    };
    format!("Error from server{reason}: {before}{}", error.message)
}

/// `The Pod "x" is invalid: ...`, one line for each cause.
fn invalid(error: &ApiError) -> String {
    let head = match error.kind {
        Some(kind) => format!("The {kind} {} is invalid", api::fields::quote(&error.name)),
        None => "The request is invalid".to_owned(),
    };
    let mut causes: Vec<String> = vec![];
    for cause in &error.causes {
        let text = format!("{}: {}", cause.field, cause.message);
        if !causes.contains(&text) {
            causes.push(text);
        }
    }
    match &causes[..] {
        [] => format!("{head}: {}\n", error.message),
        [one] => format!("{head}: {one}\n"),
        many => {
            let lines: String = many.iter().map(|it| format!("* {it}\n")).collect();
            format!("{head}: \n{lines}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_failures_are_told_without_a_prefix_each_as_often_as_it_came() {
        let text = || Failure::text("no matches");
        assert_eq!(text().print("kubectl create"), "error: no matches\n");
        let both = Failure::Many(vec![text(), text()]);
        assert_eq!(both.print("kubectl create"), "no matches\nno matches\n");
    }
}
