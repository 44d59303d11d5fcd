//! Bytes that the scheduler keeps for 1,000 nodes and for 10,000 pods, the objects themselves apart.
#![expect(clippy::print_stdout, reason = "a benchmark prints")]
#![expect(unsafe_code, reason = "an allocator that counts is unsafe by its trait")]

mod workload;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use workload::{Bench, KINDS, cluster, is_possible};

static LIVE: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, with a sum of what is in use.
struct Counting;

// SAFETY: all calls go to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn live() -> usize {
    LIVE.load(Ordering::Relaxed)
}

fn main() {
    println!("{:>6}  {:<24} {:>16} {:>18}", "nodes", "pods", "kB/1,000 nodes", "kB/10,000 pods");
    for n_nodes in [1_000, 5_000, 15_000] {
        let objects = Arc::new(cluster(n_nodes));
        for (kind, (name, _)) in KINDS.iter().enumerate() {
            let n_pods = if kind == 2 { n_nodes } else { 10_000 };
            if !is_possible(kind, n_nodes) {
                continue;
            }
            let pods = Bench::new(objects.clone(), kind, n_pods).pods;
            let start = live();
            let mut bench = Bench::new(objects.clone(), kind, 0);
            let empty = live();
            bench.pods = pods;
            let n_placed = bench.place_all(false);
            assert_eq!(n_placed, n_pods, "{name}: a pod found no node");
            let full = live();
            let per_node = (empty - start) / n_nodes; // bytes for one, kB for 1,000
            let per_pod = full.saturating_sub(empty) * 10 / n_pods;
            println!("{n_nodes:>6}  {name:<24} {per_node:>16} {per_pod:>18}");
        }
    }
}
