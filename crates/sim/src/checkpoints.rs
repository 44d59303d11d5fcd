//! Copies of the world along the run, dense near the present and sparse far from it.

use crate::world::World;

/// At least so many events lie between two checkpoints.
const SPACING: u64 = 256;
/// From so many on, checkpoints are thinned out.
const MANY: usize = 48;
/// Far away, checkpoints lie apart this part of their distance.
const SPARSENESS: u64 = 16;

/// The checkpoints of a run, in order. The first is its beginning and always stays.
#[derive(Clone)]
pub(crate) struct Checkpoints(Vec<World>);

impl Checkpoints {
    /// A run that is about to begin.
    pub(crate) fn new(beginning: World) -> Self {
        Self(vec![beginning])
    }

    /// Keeps a copy of the world if the next checkpoint before it is far enough away.
    pub(crate) fn offer(&mut self, world: &World) {
        // A copy costs what the store holds, a replay what happened: neither may dominate.
        let n_objects = crate::log::len_u64(world.store.objects().len());
        let spacing = SPACING.max(n_objects / 8).max(world.n_events / 256);
        let place = self.0.partition_point(|it| it.n_events <= world.n_events);
        let near = place.checked_sub(1).and_then(|it| self.0.get(it));
        if near.is_some_and(|it| world.n_events < it.n_events + spacing) {
            return;
        }
        self.0.insert(place, world.clone());
        if self.0.len() > MANY {
            self.thin(world.n_events);
        }
    }

    /// Drops checkpoints that are closer together than their distance from `present` asks for.
    fn thin(&mut self, present: u64) {
        let mut kept: Vec<World> = Vec::with_capacity(self.0.len());
        let mut rest = std::mem::take(&mut self.0).into_iter().peekable();
        while let Some(world) = rest.next() {
            let gap = match (kept.last(), rest.peek()) {
                (Some(before), Some(after)) => after.n_events - before.n_events,
                _ => u64::MAX,
            };
            if gap > world.n_events.abs_diff(present) / SPARSENESS {
                kept.push(world);
            }
        }
        self.0 = kept;
    }

    /// The latest checkpoint that `is_before` accepts, or the beginning.
    pub(crate) fn latest(&self, is_before: impl Fn(&World) -> bool) -> Option<World> {
        let place = self.0.partition_point(is_before);
        self.0.get(place.saturating_sub(1)).cloned()
    }

    /// Forgets the checkpoints after event `n_events`.
    pub(crate) fn truncate(&mut self, n_events: u64) {
        self.0.retain(|it| it.n_events <= n_events);
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}
