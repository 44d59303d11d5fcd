//! What statuses say, held against the objects that they are about.

use api::k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use api::k8s_openapi::api::batch::v1::{CronJob, Job};
use api::k8s_openapi::api::core::v1::{Node, Pod, ResourceQuota, Service, Taint};
use api::k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice};
use api::k8s_openapi::api::policy::v1::PodDisruptionBudget;
use api::k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use api::k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use api::{Listers, ObjectRef, Resource, pods, quantity};
use sim::Simulation;

/// What a status says that is not so, and what is not as it is wanted.
pub(crate) fn lies(simulation: &Simulation) -> Vec<String> {
    let mut lies = Lies { listers: simulation.listers(), found: vec![] };
    lies.apps();
    lies.batch();
    lies.pods();
    lies.selected();
    if lies.listers.list::<ResourceQuota>().next().is_none() {
        lies.unwanted();
    }
    lies.found
}

struct Lies<'a> {
    listers: Listers<'a>,
    found: Vec<String>,
}

impl Lies<'_> {
    fn tell(&mut self, object: ObjectRef, what: &str, says: Option<i32>, is: usize) {
        if usize::try_from(says.unwrap_or_default()) != Ok(is) {
            self.found.push(format!("{object}: {what} {is}, not {says:?}"));
        }
    }

    fn n_active(&self, uid: &str) -> usize {
        let pods = self.listers.list::<Pod>().filter(|it| is_controlled_by(*it, uid));
        pods.filter(is_active).count()
    }

    fn apps(&mut self) {
        let listers = self.listers;
        for set in listers.list::<ReplicaSet>() {
            let status = set.status.as_ref().map(|it| it.replicas);
            self.tell(set.object_ref(), "active pods", status, self.n_active(set.uid()));
        }
        for set in listers.list::<StatefulSet>() {
            let status = set.status.as_ref().map(|it| it.replicas);
            let pods = listers.list::<Pod>().filter(|it| is_controlled_by(*it, set.uid()));
            self.tell(set.object_ref(), "pods", status, pods.count());
        }
        for deployment in listers.list::<Deployment>() {
            let sets = listers.list::<ReplicaSet>();
            let sets = sets.filter(|it| is_controlled_by(*it, deployment.uid()));
            let n: i32 = sets.filter_map(|it| Some(it.status.as_ref()?.replicas)).sum();
            let status = deployment.status.as_ref().and_then(|it| it.replicas);
            self.tell(deployment.object_ref(), "replicas", status, usize::try_from(n).unwrap());
        }
    }

    fn batch(&mut self) {
        let listers = self.listers;
        for job in listers.list::<Job>() {
            let status = job.status.as_ref().and_then(|it| it.active);
            self.tell(job.object_ref(), "active pods", status, self.n_active(job.uid()));
        }
        for cron in listers.list::<CronJob>() {
            let jobs = listers.list::<Job>().filter(|it| is_controlled_by(*it, cron.uid()));
            let n = jobs.filter(|it| !has_ended(it)).count();
            let status = cron.status.iter().flat_map(|it| &it.active).flatten().count();
            self.tell(cron.object_ref(), "active jobs", i32::try_from(status).ok(), n);
        }
    }

    /// Nobody is about to go for ever, and nobody who has ended is held.
    fn pods(&mut self) {
        let listers = self.listers;
        // The last failed pod of an index keeps its finalizer, and with it the number of failures,
        // until the next one is made.
        let is_of_index = |it: &Pod| {
            let mut jobs = listers.list::<Job>().filter(|job| is_controlled_by(it, job.uid()));
            jobs.any(|job| job.spec.as_ref().is_some_and(|it| it.backoff_limit_per_index.is_some()))
        };
        for pod in listers.list::<Pod>().filter(|it| !is_of_index(it)) {
            let finalizers = pod.metadata.finalizers.iter().flatten().count();
            let is_held = pods::is_terminal(pod) && finalizers > 0;
            self.tell(pod.object_ref(), "finalizers at the end", None, usize::from(is_held));
            let is_going = pods::is_terminating(pod);
            self.tell(pod.object_ref(), "terminating", None, usize::from(is_going));
        }
    }

    /// Those who count pods by their labels or by their namespace.
    fn selected(&mut self) {
        let listers = self.listers;
        let of_app = |app: &str| {
            let pods = listers.list::<Pod>().filter(|it| label(*it, "app") == Some(app));
            pods.collect::<Vec<_>>()
        };
        let n_ready =
            |pods: &[&Pod]| pods.iter().filter(|it| pods::is_ready(it) && is_active(it)).count();
        // The services and budgets of these runs have the names of the workloads that they select.
        for service in listers.list::<Service>().filter(|it| it.name().starts_with('w')) {
            let slices = listers.list::<EndpointSlice>();
            let slices = slices.filter(|it| is_controlled_by(*it, service.uid()));
            let endpoints = slices.flat_map(|it| it.endpoints.iter().flatten());
            let is_ready = |it: &&Endpoint| it.conditions.as_ref().and_then(|it| it.ready);
            let n = endpoints.filter(|it| is_ready(it) == Some(true)).count();
            let n_pods = n_ready(&of_app(service.name()));
            self.tell(service.object_ref(), "ready pods", i32::try_from(n).ok(), n_pods);
        }
        for budget in listers.list::<PodDisruptionBudget>() {
            let pods = of_app(budget.name());
            // Pods of others cannot be counted upon: there the controller fails.
            let has_scale =
                |it: &&Pod| it.metadata.owner_references.iter().flatten().any(has_scale);
            if pods.iter().all(has_scale) {
                let status = budget.status.as_ref().and_then(|it| it.current_healthy);
                self.tell(budget.object_ref(), "healthy pods", status, n_ready(&pods));
            }
        }
        for quota in listers.list::<ResourceQuota>() {
            let n = listers.list::<Pod>().filter(|it| !pods::is_terminal(it)).count();
            let used = quota.status.as_ref().and_then(|it| it.used.as_ref()?.get("pods"));
            let used = used.and_then(|it| i32::try_from(quantity::value(it)).ok());
            self.tell(quota.object_ref(), "pods", used, n);
        }
    }

    /// Sets with fewer or more pods than are wanted, where no quota stands in the way.
    fn unwanted(&mut self) {
        let listers = self.listers;
        for set in listers.list::<ReplicaSet>() {
            let wanted = set.spec.as_ref().and_then(|it| it.replicas);
            self.tell(set.object_ref(), "wanted pods", wanted, self.n_active(set.uid()));
        }
        for set in listers.list::<DaemonSet>() {
            let is_open = |it: &&Node| !taints(it).any(|it| it.key == "a");
            let n_open = listers.list::<Node>().filter(is_open).count();
            // Where there is no room for the pods of an update, they wait beside the old ones.
            let update = set.spec.as_ref().and_then(|it| it.update_strategy.as_ref());
            let surge = update.and_then(|it| it.rolling_update.as_ref()?.max_surge.as_ref());
            let surges = surge.is_some_and(|it| *it != IntOrString::Int(0));
            let most = listers.list::<Node>().count() * if surges { 2 } else { 1 };
            let n = self.n_active(set.uid());
            let wanted = i32::try_from(n.clamp(n_open, most)).ok();
            self.tell(set.object_ref(), "wanted pods", wanted, n);
        }
    }
}

fn is_active(pod: &&Pod) -> bool {
    !pods::is_terminal(pod) && !pods::is_terminating(pod)
}

fn has_ended(job: &Job) -> bool {
    let mut conditions = job.status.iter().flat_map(|it| &it.conditions).flatten();
    conditions.any(|it| matches!(it.type_.as_str(), "Complete" | "Failed") && it.status == "True")
}

fn has_scale(owner: &OwnerReference) -> bool {
    owner.controller == Some(true) && matches!(owner.kind.as_str(), "ReplicaSet" | "StatefulSet")
}

fn label<'a>(object: &'a impl Resource, key: &str) -> Option<&'a str> {
    object.meta().labels.as_ref()?.get(key).map(String::as_str)
}

fn taints(node: &Node) -> impl Iterator<Item = &Taint> {
    node.spec.iter().flat_map(|it| &it.taints).flatten()
}

fn is_controlled_by(object: &impl Resource, uid: &str) -> bool {
    let mut owners = object.meta().owner_references.iter().flatten();
    owners.any(|it| it.controller == Some(true) && it.uid == uid)
}
