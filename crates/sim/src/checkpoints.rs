//! Copies of the world along the run, dense near the present and sparse far from it.

use crate::world::World;

/// At least so many events lie between two checkpoints.
const SPACING: u64 = 256;
/// How many objects the checkpoints may hold together, were none shared between them.
const MAX_OBJECTS: usize = 200_000;
/// So many checkpoints there may be anyway.
const FEW: usize = 12;
/// More than this there are never.
const MANY: usize = 64;

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
        let spacing = SPACING.max(n_objects / 4);
        let place = self.0.partition_point(|it| it.n_events <= world.n_events);
        let near = place.checked_sub(1).and_then(|it| self.0.get(it));
        if near.is_some_and(|it| world.n_events < it.n_events + spacing) {
            return;
        }
        self.0.insert(place, world.clone());
        let room = (MAX_OBJECTS / world.store.objects().len().max(1)).clamp(FEW, MANY);
        if self.0.len() > room {
            self.thin(world.n_events, room);
        }
    }

    /// Drops checkpoints until there are no more than `room`. Those go that lie close together for
    /// their distance from `present`; far from it, where it is no matter how far, half of the room
    /// is spread evenly over the run.
    fn thin(&mut self, present: u64, room: usize) {
        let end = self.0.last().map_or(present, |it| it.n_events.max(present));
        let even = end / (crate::log::len_u64(room) / 2).max(1);
        for sparseness in [16, 8, 4, 2, 1] {
            let mut kept: Vec<World> = Vec::with_capacity(self.0.len());
            let mut rest = std::mem::take(&mut self.0).into_iter().peekable();
            while let Some(world) = rest.next() {
                let gap = match (kept.last(), rest.peek()) {
                    (Some(before), Some(after)) => after.n_events - before.n_events,
                    _ => u64::MAX,
                };
                if gap > even.min(world.n_events.abs_diff(present) / sparseness) {
                    kept.push(world);
                }
            }
            self.0 = kept;
            if self.0.len() <= room {
                break;
            }
        }
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
