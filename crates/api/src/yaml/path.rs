//! Where a value stands in its document, kept on the stack while the document is read.

use std::fmt::{self, Write as _};

use super::gotypes;

/// Where a value stands in its document.
#[derive(Clone, Copy)]
pub(super) struct Path<'p> {
    parent: Option<&'p Path<'p>>,
    step: Step<'p>,
}

#[derive(Clone, Copy)]
pub(super) enum Step<'p> {
    Root,
    /// A field of the struct `owner`.
    Field {
        owner: &'static str,
        name: &'p str,
    },
    /// A key of a map.
    Key(&'p str),
    Index(usize),
}

impl<'p> Path<'p> {
    pub(super) const ROOT: Self = Self { parent: None, step: Step::Root };

    pub(super) fn to(&'p self, step: Step<'p>) -> Self {
        Self { parent: Some(self), step }
    }

    /// The last struct field on the way, with the struct.
    pub(super) fn field(&self) -> Option<(&'static str, &'p str)> {
        match self.step {
            Step::Field { owner, name } => Some((owner, name)),
            _ => self.parent.and_then(Path::field),
        }
    }

    /// Go's way to name a field: `ContainerPort.spec.containers.ports.containerPort`.
    pub(super) fn go_field(&self) -> Option<String> {
        let (owner, _) = self.field()?;
        let mut names = vec![];
        let mut at = Some(self);
        while let Some(path) = at {
            if let Step::Field { owner, name } = path.step {
                names.push(name);
                names.extend(gotypes::embedded(owner, name));
            }
            at = path.parent;
        }
        // kubectl reads the metadata by itself first.
        names.push(if matches!(names[..], ["metadata"]) { "metadataOnlyObject" } else { owner });
        names.reverse();
        Some(names.join("."))
    }
}

/// As the API server writes paths, with map keys in brackets where a dot would mislead.
impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(parent) = self.parent else { return Ok(()) };
        parent.fmt(f)?;
        match self.step {
            Step::Root => Ok(()),
            Step::Index(n) => write!(f, "[{n}]"),
            Step::Key(key) if key.contains(['.', '/', '[']) => write!(f, "[{key}]"),
            Step::Field { name, .. } | Step::Key(name) => {
                if !matches!(parent.step, Step::Root) {
                    f.write_char('.')?;
                }
                f.write_str(name)
            }
        }
    }
}
