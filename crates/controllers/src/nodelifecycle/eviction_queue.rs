//! The rate at which the nodes of a zone are tainted with `NoExecute`.
//!
//! Upstream: `pkg/controller/nodelifecycle/scheduler/rate_limited_queue.go`, v1.36.

use api::Timestamp;
use api::time::after_ms;

/// Upstream: `--node-eviction-rate` 0.1, as the time for one token.
pub(super) const NORMAL_MS: i64 = 10_000;
/// Upstream: `--secondary-node-eviction-rate` 0.01.
pub(super) const SECONDARY_MS: i64 = 100_000;
/// Upstream: `--large-cluster-size-threshold`.
const LARGE_CLUSTER: usize = 50;
/// Upstream: `--unhealthy-zone-threshold`, in hundredths.
const UNHEALTHY_PERCENT: usize = 55;

/// How bad it stands with a zone. Upstream: `ZoneState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ZoneState {
    Initial,
    /// No node of it counts; once one does, it begins anew.
    Unseen,
    Normal,
    FullDisruption,
    PartialDisruption,
}

impl ZoneState {
    /// Upstream: `ComputeZoneState`.
    pub(super) fn of(n_ready: usize, n_not_ready: usize) -> Self {
        if n_ready == 0 && n_not_ready > 0 {
            Self::FullDisruption
        } else if n_not_ready > 2
            && n_not_ready * 100 >= UNHEALTHY_PERCENT * (n_ready + n_not_ready)
        {
            Self::PartialDisruption
        } else {
            Self::Normal
        }
    }

    /// The time for one token in this state, `None` for no tokens. Upstream: `setLimiterInZone`.
    pub(super) fn token_ms(self, n_nodes: usize) -> Option<i64> {
        match self {
            Self::PartialDisruption if n_nodes > LARGE_CLUSTER => Some(SECONDARY_MS),
            Self::PartialDisruption => None,
            _ => Some(NORMAL_MS),
        }
    }
}

/// The nodes that wait for their taint, and a bucket that holds one token.
#[derive(Clone, Debug)]
pub(super) struct EvictionQueue {
    pub(super) state: ZoneState,
    waiting: Vec<String>,
    token_ms: Option<i64>,
    /// The bucket is full from here on.
    full_at: Timestamp,
}

impl EvictionQueue {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            state: ZoneState::Initial,
            waiting: Vec::new(),
            token_ms: Some(NORMAL_MS),
            full_at: now,
        }
    }

    pub(super) fn add(&mut self, node: &str) {
        if !self.waiting.iter().any(|it| it == node) {
            self.waiting.push(node.to_owned());
        }
    }

    pub(super) fn remove(&mut self, node: &str) {
        self.waiting.retain(|it| it != node);
    }

    /// A bucket at another rate is empty unless the old one had a token. Upstream: `SwapLimiter`.
    pub(super) fn swap_limiter(&mut self, token_ms: Option<i64>, now: Timestamp) {
        if self.token_ms == token_ms {
            return;
        }
        let had_token = self.token_ms.is_some() && self.full_at <= now;
        self.token_ms = token_ms;
        self.full_at = if had_token { now } else { after_ms(now, token_ms.unwrap_or(0)) };
    }

    /// When the next node can be taken.
    pub(super) fn next(&self) -> Option<Timestamp> {
        (!self.waiting.is_empty() && self.token_ms.is_some()).then_some(self.full_at)
    }

    /// Takes the next node, if there is one and a token for it.
    pub(super) fn take(&mut self, now: Timestamp) -> Option<String> {
        let token_ms = self.token_ms?;
        if self.waiting.is_empty() || self.full_at > now {
            return None;
        }
        self.full_at = after_ms(now, token_ms);
        Some(self.waiting.remove(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_zone_is_as_bad_as_its_share_of_lost_nodes() {
        for (ready, lost, state) in [
            (0, 0, ZoneState::Normal),
            (0, 1, ZoneState::FullDisruption),
            (1, 1, ZoneState::Normal),
            (1, 3, ZoneState::PartialDisruption),
            (3, 2, ZoneState::Normal),
            (9, 11, ZoneState::PartialDisruption),
            (10, 10, ZoneState::Normal),
        ] {
            assert_eq!(ZoneState::of(ready, lost), state, "{ready} ready, {lost} lost");
        }
    }

    #[test]
    fn one_node_is_taken_in_ten_seconds() {
        let mut queue = EvictionQueue::new(at(0));
        queue.add("a");
        queue.add("b");
        queue.add("a");
        assert_eq!(queue.take(at(60)).as_deref(), Some("a"));
        assert_eq!(queue.take(at(69)), None);
        assert_eq!(queue.next(), Some(at(70)));
        assert_eq!(queue.take(at(70)).as_deref(), Some("b"));
        assert_eq!(queue.take(at(90)), None);
    }

    #[test]
    fn a_limiter_that_was_waiting_makes_the_next_one_wait() {
        let mut queue = EvictionQueue::new(at(0));
        queue.add("a");
        queue.swap_limiter(None, at(10));
        assert_eq!(queue.take(at(100)), None);
        queue.swap_limiter(Some(NORMAL_MS), at(100));
        assert_eq!(queue.take(at(109)), None);
        assert_eq!(queue.take(at(110)).as_deref(), Some("a"));
    }
}
