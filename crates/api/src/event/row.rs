//! What tables say of an event, in one place of the memory.

use super::Recorded;
use crate::{Timestamp, time};

/// The texts that tables show of an event, one behind the other. Thousands of events are listed
/// within a few milliseconds, and half of that is waiting for memory: what is read lies together.
#[derive(Clone, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct EventRow {
    /// When it was said last, whole seconds.
    pub last: Timestamp,
    text: Box<str>,
    reason_end: u32,
    about_end: u32,
    /// `Warning` instead of `Normal`.
    pub warning: bool,
    /// All texts are printable ASCII.
    pub plain: bool,
}

impl EventRow {
    pub(super) fn of(facts: &Recorded, message: &str) -> Self {
        let spec = &facts.spec;
        let (kind, name) = (spec.regarding.kind.name(), &spec.regarding.name);
        let mut text =
            String::with_capacity(spec.reason.len() + kind.len() + 1 + name.len() + message.len());
        let end = |text: &String| u32::try_from(text.len()).unwrap_or(u32::MAX);
        text.push_str(&spec.reason);
        let reason_end = end(&text);
        text.extend(kind.chars().map(|it| it.to_ascii_lowercase()));
        if !name.is_empty() {
            text.push('/');
            text.push_str(name);
        }
        let about_end = end(&text);
        text.push_str(message);
        Self {
            last: time::meta_time(facts.last).0,
            plain: text.bytes().all(|it| matches!(it, b' '..=b'~')),
            text: text.into(),
            reason_end,
            about_end,
            warning: spec.warning,
        }
    }

    /// `reason`.
    #[must_use]
    #[inline]
    pub fn reason(&self) -> &str {
        self.text.get(..self.reason_end as usize).unwrap_or_default()
    }

    /// The kind in lower case and the name of what it is about, with a slash between them if there
    /// is a name.
    #[must_use]
    #[inline]
    pub fn about(&self) -> &str {
        self.text.get(self.reason_end as usize..self.about_end as usize).unwrap_or_default()
    }

    /// `message`.
    #[must_use]
    #[inline]
    pub fn message(&self) -> &str {
        self.text.get(self.about_end as usize..).unwrap_or_default()
    }

    /// All texts one behind the other: reason, what it is about, message.
    #[must_use]
    #[inline]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The lengths of these texts.
    #[must_use]
    #[inline]
    pub fn lengths(&self) -> [usize; 3] {
        let [reason, about] = [self.reason_end as usize, self.about_end as usize];
        [reason, about.saturating_sub(reason), self.text.len().saturating_sub(about)]
    }
}
