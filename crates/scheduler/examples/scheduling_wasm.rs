//! The benchmark's workload as a wasm module of its own, for `tests/e2e/bench.mjs`: the shipped
//! engine has nothing of it. The page that runs it measures the time.
#![expect(unsafe_code, reason = "names of exports")]

#[path = "../benches/workload/mod.rs"]
mod workload;

use std::cell::RefCell;
use std::sync::Arc;

use workload::{Bench, N_PODS, cluster, is_possible};

thread_local! {
    static READY: RefCell<Option<Bench>> = const { RefCell::new(None) };
}

/// Makes a cluster and the pods of a sort; says how many pods wait.
#[unsafe(no_mangle)]
pub extern "C" fn prepare(kind: u32, n_nodes: u32) -> u32 {
    let (kind, n_nodes) = (kind as usize, n_nodes as usize);
    READY.with_borrow_mut(|ready| {
        let known = ready.take().map(|it| it.objects).filter(|it| it.len() == n_nodes);
        let objects = known.unwrap_or_else(|| Arc::new(cluster(n_nodes)));
        let n_pods = if is_possible(kind, n_nodes) { N_PODS } else { 0 };
        *ready = Some(Bench::new(objects, kind, n_pods));
        u32::try_from(n_pods).unwrap_or_default()
    })
}

/// Places the pods; says how many found a node.
#[unsafe(no_mangle)]
pub extern "C" fn place_all() -> u32 {
    READY.with_borrow_mut(|ready| {
        let placed = ready.as_mut().map_or(0, |it| it.place_all(false));
        u32::try_from(placed).unwrap_or_default()
    })
}
