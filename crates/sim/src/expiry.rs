//! Events do not stay: the API server keeps them for an hour after they were last written.
//!
//! Upstream: `--event-ttl` of kube-apiserver (`pkg/controlplane/apiserver/options`), v1.36.
//! Differs from upstream: expired events go at the next full minute, together.

use api::{Event, ObjectRef, SharedMap, Timestamp, time};

/// Upstream: `EventTTL`.
const EVENT_TTL_MS: i64 = 3_600_000;
const MINUTE_MS: i64 = 60_000;

/// When events were written, oldest first; one that was written again stands here again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Expiry {
    due: SharedMap<(Timestamp, u64), ObjectRef>,
    next_seq: u64,
}

impl Expiry {
    /// An event was written.
    pub(crate) fn written(&mut self, key: ObjectRef, now: Timestamp) {
        self.due.insert((time::after_ms(now, EVENT_TTL_MS), self.next_seq), key);
        self.next_seq += 1;
    }

    /// When the oldest has to be looked at.
    pub(crate) fn next_at(&self) -> Option<Timestamp> {
        let ((at, _), _) = self.due.first()?;
        let minutes = at.as_millisecond().div_euclid(MINUTE_MS) + 1;
        Timestamp::from_millisecond(minutes * MINUTE_MS).ok()
    }

    /// Takes out the keys whose time has come; those that were written again are among them.
    pub(crate) fn take(&mut self, now: Timestamp) -> Vec<ObjectRef> {
        let mut keys = Vec::new();
        while self.due.first().is_some_and(|((at, _), _)| *at <= now) {
            keys.extend(self.due.pop_first().map(|(_, key)| key));
        }
        keys
    }
}

/// Whether an event was last written so long ago that it goes.
pub(crate) fn is_over(event: &Event, now: Timestamp) -> bool {
    let last = event.last_timestamp().max(event.event_time());
    last.is_none_or(|it| time::ms_between(it, now) >= EVENT_TTL_MS)
}

#[cfg(test)]
mod tests {
    use api::{Kind, ObjectRef, Timestamp};

    use super::Expiry;

    #[test]
    fn events_are_looked_at_in_the_minute_after_their_hour() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let key = |name| ObjectRef::new(Kind::Event, "default", name);
        let mut expiry = Expiry::default();
        expiry.written(key("a"), at(30));
        expiry.written(key("b"), at(59));
        expiry.written(key("c"), at(70));
        assert_eq!(expiry.next_at(), Some(at(3_660)));
        assert_eq!(expiry.take(at(3_660)), [key("a"), key("b")]);
        assert_eq!(expiry.next_at(), Some(at(3_720)));
    }
}
