//! The names of the in-tree plugins.
//!
//! Upstream: `pkg/scheduler/framework/plugins/names/names.go`, v1.36.

macro_rules! names {
    ($($constant:ident = $name:literal;)*) => { $(
        #[doc = concat!("`", $name, "`")]
        pub const $constant: &str = $name;
    )* };
}

names! {
    DEFAULT_BINDER = "DefaultBinder";
    DEFAULT_PREEMPTION = "DefaultPreemption";
    DYNAMIC_RESOURCES = "DynamicResources";
    EXPRESSION = "sim.orrery.dev/Expression";
    GANG_SCHEDULING = "GangScheduling";
    IMAGE_LOCALITY = "ImageLocality";
    INTER_POD_AFFINITY = "InterPodAffinity";
    NODE_AFFINITY = "NodeAffinity";
    NODE_DECLARED_FEATURES = "NodeDeclaredFeatures";
    NODE_NAME = "NodeName";
    NODE_PORTS = "NodePorts";
    NODE_RESOURCES_BALANCED_ALLOCATION = "NodeResourcesBalancedAllocation";
    NODE_RESOURCES_FIT = "NodeResourcesFit";
    NODE_UNSCHEDULABLE = "NodeUnschedulable";
    NODE_VOLUME_LIMITS = "NodeVolumeLimits";
    POD_TOPOLOGY_SPREAD = "PodTopologySpread";
    PRIORITY_SORT = "PrioritySort";
    SCHEDULING_GATES = "SchedulingGates";
    TAINT_TOLERATION = "TaintToleration";
    VOLUME_BINDING = "VolumeBinding";
    VOLUME_RESTRICTIONS = "VolumeRestrictions";
    VOLUME_ZONE = "VolumeZone";
}
