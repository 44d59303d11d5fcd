//! An append-only list with a bounded memory, which a replay passes over again without adding to it.
//!
//! Every entry has a number that is a function of the run. Going back in time leaves the list alone
//! and reads it up to a lower number; a replay comes by the same entries and adds nothing; changing
//! the past cuts the list off.

use std::collections::VecDeque;

/// The newest entries of a list.
#[derive(Clone, Debug)]
pub(crate) struct Log<T> {
    /// The number of the first entry that is kept.
    first: u64,
    items: VecDeque<T>,
    capacity: usize,
}

impl<T> Log<T> {
    /// An empty list that keeps at least `capacity` entries.
    #[must_use]
    pub(crate) fn new(capacity: usize) -> Self {
        Self { first: 0, items: VecDeque::new(), capacity }
    }

    /// The number that the next new entry gets.
    #[must_use]
    pub(crate) fn end(&self) -> u64 {
        self.first + len_u64(self.items.len())
    }

    /// How many entries were dropped from the front.
    #[must_use]
    pub(crate) fn n_dropped(&self) -> u64 {
        self.first
    }

    /// Adds the entry with the number `at`, unless it is there already. A quarter of the entries
    /// goes when twice the capacity is reached, so that the cost is spread.
    pub(crate) fn put(&mut self, at: u64, item: impl FnOnce() -> T) {
        if at != self.end() {
            return;
        }
        self.items.push_back(item());
        if self.items.len() > self.capacity.saturating_mul(2) {
            let n_old = self.items.len() - self.capacity;
            self.items.drain(..n_old);
            self.first += len_u64(n_old);
        }
    }

    /// Forgets the entries from the number `at` on.
    pub(crate) fn truncate(&mut self, at: u64) {
        let keep = usize::try_from(at.saturating_sub(self.first)).unwrap_or(usize::MAX);
        self.items.truncate(keep);
        if at < self.first {
            self.first = at;
        }
    }

    /// Forgets all entries and leaves a gap, so that every earlier number counts as dropped.
    pub(crate) fn forget(&mut self) {
        self.first = self.end() + 1;
        self.items.clear();
    }

    /// The entries before the number `end`, oldest first.
    pub(crate) fn until(&self, end: u64) -> impl DoubleEndedIterator<Item = &T> {
        self.between(self.first, end)
    }

    /// The entries from the number `start` up to, not including, `end`.
    pub(crate) fn between(&self, start: u64, end: u64) -> impl DoubleEndedIterator<Item = &T> {
        let at = |number: u64| {
            let it = usize::try_from(number.saturating_sub(self.first)).unwrap_or(usize::MAX);
            it.min(self.items.len())
        };
        let (start, end) = (at(start), at(end));
        self.items.range(start.min(end)..end)
    }
}

/// Lengths as 64-bit numbers, which they always fit.
pub(crate) fn len_u64(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::Log;

    fn log(n: u64) -> Log<u64> {
        let mut log = Log::new(4);
        (0..n).for_each(|it| log.put(it, || it));
        log
    }

    #[test]
    fn a_replay_adds_nothing_and_a_cut_makes_room_again() {
        let mut log = log(3);
        log.put(1, || 99);
        assert_eq!(log.until(9).copied().collect::<Vec<_>>(), [0, 1, 2]);
        log.truncate(1);
        log.put(1, || 99);
        assert_eq!(log.until(9).copied().collect::<Vec<_>>(), [0, 99]);
    }

    #[test]
    fn old_entries_go_but_keep_their_numbers() {
        let log = log(11);
        assert!(log.n_dropped() >= 3 && log.end() == 11);
        assert_eq!(log.between(9, 10).copied().collect::<Vec<_>>(), [9]);
        assert_eq!(log.until(u64::MAX).last(), Some(&10));
    }

    #[test]
    fn a_cut_before_the_first_kept_entry_leaves_an_empty_log_that_goes_on_there() {
        let mut log = log(11);
        log.truncate(1);
        assert_eq!(log.end(), 1);
        log.put(1, || 7);
        assert_eq!(log.until(2).copied().collect::<Vec<_>>(), [7]);
    }
}
