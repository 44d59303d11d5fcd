//! Recording Kubernetes Events: repeated ones are counted, similar ones combined, floods cut off.
//!
//! Upstream: `staging/src/k8s.io/client-go/tools/record/{event,events_cache}.go`, v1.36.
//! Differs from upstream: keys are 64-bit hashes of upstream's joined strings, to keep checkpoints
//! small; all components share one cache per kind of memory, which no result shows because the
//! component is part of every key.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use api::{EventSpec, Kind, Object, ObjectRef, Timestamp};
use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::names;
use crate::store::Store;

/// How long the server keeps an event after its last write. Upstream: `--event-ttl`.
const TTL_SECONDS: i64 = 3_600;
/// Upstream: `defaultAggregateMaxEvents`.
const MAX_SIMILAR: usize = 10;
/// Upstream: `defaultAggregateIntervalInSeconds`.
const SIMILAR_SECONDS: i64 = 600;
/// Upstream: `defaultSpamBurst`.
const SPAM_BURST: f64 = 25.0;
/// Upstream: `defaultSpamQPS`.
const SPAM_PER_SECOND: f64 = 1.0 / 300.0;
/// Upstream: `maxLruCacheEntries`, which each component has for itself.
const MAX_ENTRIES: usize = 4_096 * 8;

/// What recorders remember of earlier events.
#[derive(Clone, Debug, Default)]
pub(crate) struct Correlator {
    similar: Lru<Similar>,
    logged: Lru<Logged>,
    buckets: Lru<Bucket>,
    /// When events were last written, oldest first.
    expiry: VecDeque<(Timestamp, ObjectRef)>,
}

#[derive(Clone, Debug)]
struct Similar {
    messages: BTreeSet<u64>,
    last: Timestamp,
}

#[derive(Clone, Debug)]
struct Logged {
    count: i32,
    first: Timestamp,
    name: Arc<str>,
}

#[derive(Clone, Debug)]
struct Bucket {
    tokens: f64,
    at: Timestamp,
}

impl Store {
    /// Records an event.
    pub(crate) fn record(&mut self, spec: &EventSpec, now: Timestamp) {
        self.purge_events(now);
        let correlator = Arc::make_mut(&mut self.correlator);
        let (message, key) = correlator.aggregate(spec, now);
        let logged = correlator.observe(key, spec, now, self.revision);
        if correlator.floods(spec, now) {
            return;
        }
        let namespace = namespace_of(spec);
        let reference = ObjectRef::new(Kind::Event, namespace, &logged.name);
        let old = self.objects.get(&reference).cloned();
        let old = old.and_then(|it| match it {
            Object::Event(it) => Some(it),
            _ => None,
        });
        let event = match old {
            Some(mut old) => {
                let it = Arc::make_mut(&mut old);
                it.count = Some(logged.count);
                it.message = Some(message);
                it.last_timestamp = Some(api::time::meta_time(now));
                old
            }
            None => Arc::new(self.new_event(spec, message, &logged, now)),
        };
        self.commit(Object::Event(event));
        let correlator = Arc::make_mut(&mut self.correlator);
        correlator.expiry.push_back((now, reference));
    }

    /// Removes the events that nobody has repeated for an hour.
    pub fn purge_events(&mut self, now: Timestamp) {
        loop {
            let oldest = self.correlator.expiry.front();
            let Some((at, key)) =
                oldest.filter(|(at, _)| api::time::after_secs(*at, TTL_SECONDS) <= now)
            else {
                return;
            };
            let (at, key) = (*at, key.clone());
            Arc::make_mut(&mut self.correlator).expiry.pop_front();
            let written = self.objects.get(&key).and_then(|it| match it {
                Object::Event(it) => it.last_timestamp.as_ref().map(|it| it.0),
                _ => None,
            });
            // A later write of the same event has an entry of its own.
            if written.is_some_and(|it| it <= at) {
                self.remove(&key);
            }
        }
    }

    fn new_event(
        &self,
        spec: &EventSpec,
        message: String,
        logged: &Logged,
        now: Timestamp,
    ) -> Event {
        let key = &spec.regarding;
        let time = api::time::meta_time(now);
        Event {
            metadata: ObjectMeta {
                name: Some(logged.name.to_string()),
                namespace: Some(namespace_of(spec).to_owned()),
                uid: Some(self.new_uid()),
                creation_timestamp: Some(time.clone()),
                ..ObjectMeta::default()
            },
            involved_object: ObjectReference {
                api_version: Some(key.kind.api_version()),
                kind: Some(key.kind.name().to_owned()),
                name: Some(key.name.to_string()),
                namespace: Some(key.namespace.to_string()).filter(|it| !it.is_empty()),
                uid: Some(spec.uid.clone()).filter(|it| !it.is_empty()),
                resource_version: self
                    .objects
                    .get(key)
                    .and_then(|it| it.meta().resource_version.clone()),
                field_path: Some(spec.field_path.clone()).filter(|it| !it.is_empty()),
            },
            type_: Some(if spec.warning { "Warning" } else { "Normal" }.to_owned()),
            reason: Some(spec.reason.clone()),
            message: Some(message),
            source: Some(EventSource {
                component: Some(spec.component.clone()),
                host: Some(spec.host.clone()).filter(|it| !it.is_empty()),
            }),
            reporting_component: Some(spec.component.clone()),
            reporting_instance: Some(spec.host.clone()),
            first_timestamp: Some(api::time::meta_time(logged.first)),
            last_timestamp: Some(time),
            count: Some(logged.count),
            ..Event::default()
        }
    }
}

/// Events about objects without a namespace go to `default`.
fn namespace_of(spec: &EventSpec) -> &str {
    if spec.regarding.namespace.is_empty() { "default" } else { &spec.regarding.namespace }
}

impl Correlator {
    /// The message to write, and the key under which the event is counted.
    fn aggregate(&mut self, spec: &EventSpec, now: Timestamp) -> (String, u64) {
        let reason = hash_of(spec, &[&spec.reason]);
        let exact = hash_of(spec, &[&spec.field_path, &spec.reason, &spec.message]);
        let message = names::hash(0, &[&spec.message]);
        let record = self.similar.get(reason, || Similar { messages: BTreeSet::new(), last: now });
        if api::time::ms_between(record.last, now) > SIMILAR_SECONDS * 1_000 {
            record.messages.clear();
        }
        record.messages.insert(message);
        record.last = now;
        if record.messages.len() < MAX_SIMILAR {
            return (spec.message.clone(), exact);
        }
        record.messages.pop_first();
        (format!("(combined from similar events): {}", spec.message), reason)
    }

    /// Counts the event.
    fn observe(&mut self, key: u64, spec: &EventSpec, now: Timestamp, salt: u64) -> Logged {
        let name = &spec.regarding.name;
        let entry = self.logged.get(key, || {
            // A real clock never shows the same nanosecond twice; ours does.
            let nanoseconds = now.as_nanosecond() + i128::from(names::mix(salt) % 1_000_000);
            Logged { count: 0, first: now, name: format!("{name}.{nanoseconds:x}").into() }
        });
        entry.count += 1;
        entry.clone()
    }

    /// Whether the component speaks too often of this object. Upstream: `getSpamKey`, a token
    /// bucket of 25 that gets one more every five minutes.
    fn floods(&mut self, spec: &EventSpec, now: Timestamp) -> bool {
        let bucket =
            self.buckets.get(hash_of(spec, &[]), || Bucket { tokens: SPAM_BURST, at: now });
        let ms = api::time::ms_between(bucket.at, now);
        let seconds = f64::from(i32::try_from(ms / 1_000).unwrap_or(i32::MAX))
            + f64::from(i32::try_from(ms % 1_000).unwrap_or_default()) / 1_000.0;
        bucket.tokens = (bucket.tokens + seconds * SPAM_PER_SECOND).min(SPAM_BURST);
        bucket.at = now;
        if bucket.tokens < 1.0 {
            return true;
        }
        bucket.tokens -= 1.0;
        false
    }
}

fn hash_of(spec: &EventSpec, more: &[&str]) -> u64 {
    let key = &spec.regarding;
    let type_ = if spec.warning { "Warning" } else { "Normal" };
    let mut parts = vec![
        spec.component.as_str(),
        &spec.host,
        key.kind.name(),
        &key.namespace,
        &key.name,
        &spec.uid,
        type_,
    ];
    parts.extend_from_slice(more);
    names::hash(0, &parts)
}

/// A map that forgets what was not used for longest.
#[derive(Clone, Debug)]
struct Lru<T> {
    entries: BTreeMap<u64, (u64, T)>,
    by_use: BTreeMap<u64, u64>,
    clock: u64,
}

impl<T> Default for Lru<T> {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), by_use: BTreeMap::new(), clock: 0 }
    }
}

impl<T> Lru<T> {
    /// The entry, made if it is missing.
    fn get(&mut self, key: u64, make: impl FnOnce() -> T) -> &mut T {
        self.clock += 1;
        if !self.entries.contains_key(&key)
            && self.entries.len() >= MAX_ENTRIES
            && let Some((_, oldest)) = self.by_use.pop_first()
        {
            self.entries.remove(&oldest);
        }
        let clock = self.clock;
        let entry = self.entries.entry(key).or_insert_with(|| (0, make()));
        self.by_use.remove(&entry.0);
        entry.0 = clock;
        self.by_use.insert(clock, key);
        &mut entry.1
    }
}
