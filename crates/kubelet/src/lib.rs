//! The simulated node agent: pod life cycle, probes, admission, static pods, heartbeats.
//!
//! No container really runs. What one does is told by annotations of its pod, by its command where
//! that can be read ([`command`]), or is assumed ([`workload_of`] says which).
//!
//! ## Annotations of pods
//!
//! All keys begin with `sim.orrery.dev/`. Except for `stop-delay` and `start-delay`, each may be given for one
//! container as `<key>.<container>`; without that it means all ordinary containers, and no init
//! container. A duration may be a range such as `20s..40s`: one value is drawn from the seed.
//! Changed annotations take effect at once. What cannot be read is as if absent; [`annotations`] says
//! so.
//!
//! | key | value | absent |
//! |---|---|---|
//! | `duration` | how long a container runs; `infinity` for ever | see [`workload_of`] |
//! | `exit-code` | its exit code, or a list by attempt such as `1,1,0`, the last one repeated | 0, or what the command says |
//! | `image-pull` | how long the pull of its image takes, or `fail`: it fails until this changes | the image is on the machine |
//! | `start-delay` | from binding to the first container | the scenario's `container_start_ms` |
//! | `stop-delay` | from being told to stop to having stopped, within the grace period | the scenario's `stop_delay_ms` |
//! | `ready-after` | from running to ready | at once |
//! | `ready` | `false`: never ready | ready |
//! | `memory-usage` | the memory that it uses while it runs, such as `500Mi`; above its limit it is killed (OOMKilled) | what it requests |
//! | `startup`, `readiness`, `liveness` | what the probe answers: `pass`, `fail`, `pass-after=20s`, `fail-after=30s`, joined by commas; counted from the container's start | `pass` |
//!
//! A preStop hook takes as long as its `sleep` or its command says, where that can be read.
//!
//! KWOK's `pod-complete.stage.kwok.x-k8s.io/delay` and `.../jitter-delay` count where `duration`
//! is absent.
//!
//! ## Annotations of nodes
//!
//! | key | meaning |
//! |---|---|
//! | `failed: "true"` | cut off: containers go on, nothing is reported |
//! | `not-ready: "true"` | the kubelet reports Ready=False (KubeletNotReady) and goes on working |
//! | `memory-usage` | memory in use outside of pods; short of memory, the node evicts pods |
//! | `kubelet-configuration` | JSON: `evictionHard`, `evictionSoft`, `evictionSoftGracePeriod`, `evictionMaxPodGracePeriod`, `evictionMinimumReclaim` and `evictionPressureTransitionPeriod` as in a `KubeletConfiguration`, for `memory.available` |
//! | `memory-pressure`, `disk-pressure`, `pid-pressure: "true"` | the condition is True and decides on who is admitted; nothing is evicted |
//! | `static-pods` | a JSON list of pod manifests that the node runs by itself |

mod allocation;
pub mod annotations;
pub mod command;
mod container_log;
pub mod duration;
mod events;
mod eviction;
mod image_manager;
mod kubelet;
mod kubelet_node_status;
mod pod_workers;
mod predicate;
mod preemption;
mod prober;
mod resume;
mod static_pods;
mod status;
#[cfg(test)]
mod tests;
pub mod workload;

pub use container_log::container_log;
pub use kubelet::Kubelet;
pub use kubelet_node_status::LEASE_NAMESPACE;
pub use workload::{Source, Workload, workload_of};
