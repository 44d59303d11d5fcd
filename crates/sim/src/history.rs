//! The history of a run: one record for each write, refusal and step, as text and as a hash.
//!
//! The text is the snapshot of tests and the page's log; the hash proves that two runs were the
//! same. Both are functions of the records alone, so they are equal natively and in a browser.

use std::fmt;

use api::{ComponentId, ObjectRef};

/// Who did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A step of the scenario.
    Scenario,
    /// The user, during the run.
    User,
    /// A component of the cluster.
    Component(ComponentId),
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scenario => f.write_str("scenario"),
            Self::User => f.write_str("user"),
            Self::Component(it) => f.write_str(it.name()),
        }
    }
}

/// One line of history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Milliseconds of the run.
    pub at_ms: i64,
    /// Who.
    pub actor: Actor,
    /// What was done: `create`, `bind`, `delete`, `refused`, ...
    pub verb: &'static str,
    /// To what; a step of the scenario names nothing.
    pub object: Option<ObjectRef>,
    /// What else there is to say; may be empty.
    pub detail: Box<str>,
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", Seconds(self.at_ms), self.actor, self.verb)?;
        if let Some(object) = &self.object {
            write!(f, " {}", Short(object))?;
        }
        if !self.detail.is_empty() {
            write!(f, " {}", self.detail)?;
        }
        Ok(())
    }
}

/// Milliseconds printed as seconds: `1.005`.
pub(crate) struct Seconds(pub(crate) i64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let ms = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:03}", ms / 1_000, ms % 1_000)
    }
}

/// `pod/web-1`, with the namespace where it is not `default`: `pod/shop/web-1`.
pub(crate) struct Short<'a>(pub(crate) &'a ObjectRef);

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.kind.name().chars() {
            write!(f, "{}", c.to_ascii_lowercase())?;
        }
        if !matches!(&*self.0.namespace, "" | "default") {
            write!(f, "/{}", self.0.namespace)?;
        }
        write!(f, "/{}", self.0.name)
    }
}

/// 64-bit FNV-1a, fed piece by piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    /// Adds bytes.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    /// Adds a record and an end mark.
    pub(crate) fn add_record(&mut self, record: &Record) {
        self.add(&record.at_ms.to_le_bytes());
        let actor = match record.actor {
            Actor::Scenario => "scenario",
            Actor::User => "user",
            Actor::Component(it) => it.name(),
        };
        for part in [actor, record.verb] {
            self.add(part.as_bytes());
            self.add(&[0]);
        }
        if let Some(object) = &record.object {
            for part in [object.kind.name(), &object.namespace, &object.name] {
                self.add(part.as_bytes());
                self.add(&[0]);
            }
        }
        self.add(record.detail.as_bytes());
        self.add(&[0xff]);
    }

    /// The hash so far.
    #[must_use]
    pub(crate) fn value(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Fnv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use api::{ComponentId, Kind, ObjectRef};

    use super::{Actor, Fnv, Record};

    fn record(namespace: &str) -> Record {
        Record {
            at_ms: 1_005,
            actor: Actor::Component(ComponentId::Scheduler),
            verb: "bind",
            object: Some(ObjectRef::new(Kind::Pod, namespace, "web-1")),
            detail: "n1".into(),
        }
    }

    #[test]
    fn a_record_prints_as_one_line() {
        assert_eq!(record("default").to_string(), "1.005 scheduler bind pod/web-1 n1");
        assert_eq!(record("shop").to_string(), "1.005 scheduler bind pod/shop/web-1 n1");
    }

    #[test]
    fn the_hash_is_fnv_1a_and_sees_every_field() {
        let hash_of = |bytes: &[u8]| {
            let mut it = Fnv::default();
            it.add(bytes);
            it.to_string()
        };
        // The published test vectors of the function.
        assert_eq!(hash_of(b""), "cbf29ce484222325");
        assert_eq!(hash_of(b"foobar"), "85944171f73967e8");
        let of = |record: &Record| {
            let mut it = Fnv::default();
            it.add_record(record);
            it.value()
        };
        let base = record("default");
        for other in [
            record("shop"),
            Record { at_ms: 1_006, ..base.clone() },
            Record { actor: Actor::User, ..base.clone() },
            Record { verb: "patch", ..base.clone() },
            Record { detail: "n2".into(), ..base.clone() },
            Record { object: None, ..base.clone() },
        ] {
            assert_ne!(of(&base), of(&other), "{other}");
        }
    }
}
