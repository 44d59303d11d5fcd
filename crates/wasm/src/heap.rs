//! Room for what a long run keeps, taken in large pieces.
//!
//! The allocator grows the module's memory by what it needs just then. Each time the browser
//! accounts for it and may collect garbage: of a run that keeps a lot, two fifths of the time went
//! into that in Node on a busy machine, less in Chromium.

/// After so many events of a run its room is looked at.
pub(crate) const SLICE: u64 = 1_000;

/// The least and the most that is taken at once, bytes.
const PIECES: (usize, usize) = (4 << 20, 64 << 20);

/// The memory as it was left.
#[derive(Debug, Default)]
pub(crate) struct Heap {
    bytes: usize,
}

impl Heap {
    /// Takes a quarter more, if the allocator had to take some since the last call.
    pub(crate) fn make_room(&mut self) {
        let bytes = size();
        if bytes <= self.bytes {
            return;
        }
        // What is given back stays with the allocator, which is all that matters here.
        let mut room: Vec<u8> = Vec::new();
        let _ = room.try_reserve_exact((bytes / 4).clamp(PIECES.0, PIECES.1));
        drop(std::hint::black_box(room));
        self.bytes = size();
    }
}

/// The size of the module's memory, bytes.
#[cfg(target_arch = "wasm32")]
fn size() -> usize {
    core::arch::wasm32::memory_size::<0>() << 16
}

/// Elsewhere memory is somebody else's care.
#[cfg(not(target_arch = "wasm32"))]
fn size() -> usize {
    0
}
