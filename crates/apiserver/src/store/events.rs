//! Recording Kubernetes Events: repeated ones are counted, similar ones combined, floods cut off.
//!
//! Upstream: `staging/src/k8s.io/client-go/tools/record/{event,events_cache}.go`, v1.36.
//! Differs from upstream: keys are 64-bit hashes of upstream's joined strings, to keep checkpoints
//! small; all components share one cache per kind of memory, twice as large as one of theirs, and
//! what has no effect any more is forgotten at once.

use std::sync::Arc;

use api::{
    Event, EventSpec, Kind, Object, ObjectRef, Recorded, SharedMap, SharedTable, SmolStr,
    Timestamp, hash_bytes,
};

use crate::admission;
use crate::names;
use crate::store::Store;

/// Upstream: `defaultAggregateMaxEvents`.
const MAX_SIMILAR: usize = 10;
/// Upstream: `defaultAggregateIntervalInSeconds`.
const SIMILAR_SECONDS: i64 = 600;
/// Upstream: `defaultSpamBurst`.
const SPAM_BURST: f64 = 25.0;
/// Upstream: `defaultSpamQPS`.
const SPAM_PER_SECOND: f64 = 1.0 / 300.0;
/// Upstream: `maxLruCacheEntries`, 4,096 for each component.
const MAX_ENTRIES: usize = 8_192;
/// So many uses are remembered, beside twice as many as there are entries, before those are
/// dropped that were not the last ones.
const MAX_OUTDATED: usize = 64;

/// What recorders remember of earlier events.
#[derive(Clone, Debug, Default)]
pub(crate) struct Correlator {
    similar: Lru<Similar>,
    logged: Lru<Logged>,
    buckets: Lru<Bucket>,
}

#[derive(Clone, Debug)]
struct Similar {
    /// Hash of the first message. Most events have no other.
    first: u64,
    /// Sorted hashes of all messages, once there are two.
    messages: Option<Arc<Vec<u64>>>,
    last: Timestamp,
}

impl Similar {
    /// Takes in a message. Returns whether there are too many of them to be told apart.
    fn combines(&mut self, message: u64) -> bool {
        if self.messages.is_none() && self.first == message {
            return false;
        }
        let first = self.first;
        let messages = self.messages.get_or_insert_with(|| Arc::new(vec![first]));
        let messages = Arc::make_mut(messages);
        if let Err(place) = messages.binary_search(&message) {
            messages.insert(place, message);
        }
        let combined = messages.len() >= MAX_SIMILAR;
        if combined {
            messages.remove(0);
        }
        combined
    }
}

#[derive(Clone, Debug)]
struct Logged {
    count: i32,
    first: Timestamp,
    name: SmolStr,
}

#[derive(Clone, Debug)]
struct Bucket {
    tokens: f64,
    at: Timestamp,
}

impl Bucket {
    /// How many tokens there are by now.
    fn filled(&self, now: Timestamp) -> f64 {
        let ms = api::time::ms_between(self.at, now);
        let seconds = f64::from(i32::try_from(ms / 1_000).unwrap_or(i32::MAX))
            + f64::from(i32::try_from(ms % 1_000).unwrap_or_default()) / 1_000.0;
        (self.tokens + seconds * SPAM_PER_SECOND).min(SPAM_BURST)
    }
}

impl Store {
    /// Records an event.
    pub(crate) fn record(&mut self, mut spec: EventSpec, now: Timestamp) {
        let correlator = Arc::make_mut(&mut self.correlator);
        let source = source_of(&spec);
        let key = correlator.aggregate(source, &mut spec, now);
        let logged = correlator.observe(key, &spec, now, self.revision);
        if correlator.floods(source, now) {
            return;
        }
        let namespace = Recorded::namespace_of(&spec.regarding).into();
        let reference = ObjectRef { kind: Kind::Event, namespace, name: logged.name.clone() };
        let old = self.objects.get(&reference).cloned();
        let old = old.and_then(|it| match it {
            Object::Event(it) => Some(it),
            _ => None,
        });
        let event = match old {
            Some(mut old) => {
                Arc::make_mut(&mut old).repeat(spec.message, logged.count, now);
                old
            }
            None => {
                let event = Object::Event(Arc::new(self.new_event(spec, logged, now)));
                // What the server refuses is lost: in a namespace that goes nothing new is told.
                if admission::in_living_namespace(self, &event).is_ok() {
                    self.commit(event);
                }
                return;
            }
        };
        self.commit(Object::Event(event));
    }

    /// Takes out an event whose time is over. Nobody is told: it is housekeeping of the server's
    /// own store.
    pub fn expire_event(&mut self, key: &ObjectRef) {
        if key.kind == Kind::Event {
            self.objects.remove(key);
        }
    }

    fn new_event(&self, spec: EventSpec, logged: Logged, now: Timestamp) -> Event {
        let about = self.objects.get(&spec.regarding);
        let about_version = about.and_then(|it| it.meta().resource_version.as_deref());
        Event::recorded(Recorded {
            about_version: about_version.unwrap_or_default().into(),
            spec,
            name: logged.name,
            uid: names::uid_bits(self.seed, self.revision + 1),
            first: logged.first,
            created: now,
            last: now,
            count: logged.count,
            version: 0,
        })
    }
}

impl Correlator {
    /// Makes one of many similar messages into the combined one, and returns the key under which
    /// the event is counted.
    fn aggregate(&mut self, source: u64, spec: &mut EventSpec, now: Timestamp) -> u64 {
        let reason = hash_bytes(source, spec.reason.as_bytes());
        let message = hash_bytes(0, spec.message.as_bytes());
        let is_stale = |it: &Similar| api::time::ms_between(it.last, now) > SIMILAR_SECONDS * 1_000;
        self.similar.forget(is_stale);
        let fresh = || Similar { first: message, messages: None, last: now };
        let combined = self.similar.update(reason, fresh, |it| {
            if is_stale(it) {
                *it = fresh();
            }
            it.last = now;
            it.combines(message)
        });
        if combined {
            spec.message = format!("(combined from similar events): {}", spec.message);
            return reason;
        }
        // What was said before and its key must not meet that of the reason alone.
        names::mix(hash_bytes(reason, spec.field_path.as_bytes()) ^ message)
    }

    /// Counts the event.
    fn observe(&mut self, key: u64, spec: &EventSpec, now: Timestamp, revision: u64) -> Logged {
        let name = &spec.regarding.name;
        let fresh = || {
            // A real clock never shows the same nanosecond twice; ours does. Lists are in the
            // order of names, and so what was recorded first comes first.
            let nanoseconds = now.as_nanosecond() + i128::from(revision % 1_000_000);
            // 64 bits last until the year 2554, and they are written much faster.
            let name = match u64::try_from(nanoseconds) {
                Ok(it) => format!("{name}.{it:x}"),
                Err(_) => format!("{name}.{nanoseconds:x}"),
            };
            Logged { count: 0, first: now, name: name.into() }
        };
        self.logged.update(key, fresh, |it| {
            it.count += 1;
            it.clone()
        })
    }

    /// Whether the component speaks too often of this object. Upstream: `getSpamKey`, a token
    /// bucket of 25 that gets one more every five minutes.
    fn floods(&mut self, source: u64, now: Timestamp) -> bool {
        self.buckets.forget(|it| it.filled(now) >= SPAM_BURST);
        let full = || Bucket { tokens: SPAM_BURST, at: now };
        self.buckets.update(source, full, |it| {
            *it = Bucket { tokens: it.filled(now), at: now };
            let floods = it.tokens < 1.0;
            if !floods {
                it.tokens -= 1.0;
            }
            floods
        })
    }
}

/// The key of who speaks of what, and how seriously.
fn source_of(spec: &EventSpec) -> u64 {
    let key = &spec.regarding;
    // Of two objects with one uid the names are the same.
    let object = match spec.uid.as_str() {
        "" => [key.namespace.as_str(), key.name.as_str()],
        uid => [uid, ""],
    };
    let kind = 2 * (key.kind as u64) + u64::from(spec.warning);
    let parts = [spec.component.as_str(), &spec.host, object[0], object[1]];
    parts.iter().fold(kind, |hash, it| hash_bytes(hash, it.as_bytes()))
}

/// A map that forgets what was not used for longest.
#[derive(Clone, Debug)]
struct Lru<T> {
    /// With their keys, and when they were used last.
    entries: SharedTable<(u64, u64, T)>,
    /// Keys by the times of their uses; only of the last use of an entry there is one for certain.
    by_use: SharedMap<u64, u64>,
    clock: u64,
}

impl<T> Default for Lru<T> {
    fn default() -> Self {
        Self { entries: SharedTable::default(), by_use: SharedMap::default(), clock: 0 }
    }
}

impl<T: Clone> Lru<T> {
    /// Changes the entry, made if it is missing.
    fn update<R>(
        &mut self,
        key: u64,
        make: impl FnOnce() -> T,
        change: impl FnOnce(&mut T) -> R,
    ) -> R {
        self.clock += 1;
        let clock = self.clock;
        let result = if let Some((_, used, entry)) = self.entries.find_mut(key, |it| it.0 == key) {
            *used = clock;
            change(entry)
        } else {
            if self.entries.len() >= MAX_ENTRIES {
                self.forget_first(|_| true);
            }
            let mut entry = make();
            let result = change(&mut entry);
            self.entries.insert(key, (key, clock, entry));
            result
        };
        self.by_use.insert(clock, key);
        if self.by_use.len() > 2 * self.entries.len() + MAX_OUTDATED {
            let entries = &self.entries;
            let is_last = |at: &u64, key: &u64| {
                entries.find(*key, |it| it.0 == *key).is_some_and(|it| it.1 == *at)
            };
            self.by_use.retain(is_last);
        }
        result
    }

    /// Forgets the entries that `is_idle` accepts, the longest unused first, up to the first that
    /// it does not.
    fn forget(&mut self, is_idle: impl Fn(&T) -> bool) {
        while self.forget_first(&is_idle) {}
    }

    /// Forgets the entry that was not used for longest, if `is_idle` accepts it.
    fn forget_first(&mut self, is_idle: impl Fn(&T) -> bool) -> bool {
        while let Some((at, key)) = self.by_use.first().copied() {
            let entry = self.entries.find(key, |it| it.0 == key).filter(|it| it.1 == at);
            if entry.is_some_and(|it| !is_idle(&it.2)) {
                return false;
            }
            let forgets = entry.is_some();
            self.by_use.pop_first();
            if forgets {
                self.entries.remove(key, |it| it.0 == key);
                return true;
            }
        }
        false
    }
}
