//! The kinds that the store keeps, with their API groups, resource names and scopes.
//!
//! Upstream: `staging/src/k8s.io/api/*/v1/register.go` and the REST mappings, v1.36.

use std::fmt;

/// Everything that is known about a kind apart from its fields.
struct Facts {
    kind: &'static str,
    group: &'static str,
    plural: &'static str,
    short_names: &'static [&'static str],
    namespaced: bool,
}

macro_rules! kinds {
    ($($kind:ident $group:literal $plural:literal [$($short:literal),*] $namespaced:literal;)*) => {
        /// A kind of object in the store, in the order of its declaration.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind { $(
            #[doc = concat!("`", stringify!($kind), "`, group \"", $group, "\".")]
            $kind,
        )* }

        impl Kind {
            /// All kinds, in order.
            pub const ALL: &'static [Kind] = &[$(Kind::$kind),*];

            const fn facts(self) -> Facts {
                match self { $(Kind::$kind => Facts {
                    kind: stringify!($kind), group: $group, plural: $plural,
                    short_names: &[$($short),*], namespaced: $namespaced,
                },)* }
            }
        }
    };
}

kinds! {
    Namespace "" "namespaces" ["ns"] false;
    Node "" "nodes" ["no"] false;
    Pod "" "pods" ["po"] true;
    Service "" "services" ["svc"] true;
    ConfigMap "" "configmaps" ["cm"] true;
    Secret "" "secrets" [] true;
    ServiceAccount "" "serviceaccounts" ["sa"] true;
    PersistentVolume "" "persistentvolumes" ["pv"] false;
    PersistentVolumeClaim "" "persistentvolumeclaims" ["pvc"] true;
    ResourceQuota "" "resourcequotas" ["quota"] true;
    LimitRange "" "limitranges" ["limits"] true;
    Event "" "events" ["ev"] true;
    Binding "" "bindings" [] true;
    ReplicaSet "apps" "replicasets" ["rs"] true;
    Deployment "apps" "deployments" ["deploy"] true;
    StatefulSet "apps" "statefulsets" ["sts"] true;
    DaemonSet "apps" "daemonsets" ["ds"] true;
    ControllerRevision "apps" "controllerrevisions" [] true;
    Job "batch" "jobs" [] true;
    CronJob "batch" "cronjobs" ["cj"] true;
    HorizontalPodAutoscaler "autoscaling" "horizontalpodautoscalers" ["hpa"] true;
    EndpointSlice "discovery.k8s.io" "endpointslices" [] true;
    Lease "coordination.k8s.io" "leases" [] true;
    PodDisruptionBudget "policy" "poddisruptionbudgets" ["pdb"] true;
    PriorityClass "scheduling.k8s.io" "priorityclasses" ["pc"] false;
    StorageClass "storage.k8s.io" "storageclasses" ["sc"] false;
    CSINode "storage.k8s.io" "csinodes" [] false;
    CSIDriver "storage.k8s.io" "csidrivers" [] false;
}

impl Kind {
    /// The number of kinds.
    pub const COUNT: usize = Kind::ALL.len();

    /// `Pod`, `CronJob`, ...
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.facts().kind
    }

    /// The API group, empty for the core group.
    #[must_use]
    pub const fn group(self) -> &'static str {
        self.facts().group
    }

    /// `v1` for nearly all kinds that the store keeps.
    #[must_use]
    pub const fn version(self) -> &'static str {
        match self {
            Kind::HorizontalPodAutoscaler => "v2",
            _ => "v1",
        }
    }

    /// The resource name, such as `cronjobs`.
    #[must_use]
    pub const fn plural(self) -> &'static str {
        self.facts().plural
    }

    /// What kubectl accepts for short, such as `cj`.
    #[must_use]
    pub const fn short_names(self) -> &'static [&'static str] {
        self.facts().short_names
    }

    /// Whether objects of the kind live in a namespace.
    #[must_use]
    pub const fn namespaced(self) -> bool {
        self.facts().namespaced
    }

    /// `v1`, `apps/v1`, ...
    #[must_use]
    pub fn api_version(self) -> String {
        match self.group() {
            "" => self.version().to_owned(),
            group => format!("{group}/{}", self.version()),
        }
    }

    /// `pods`, `cronjobs.batch`: the resource as kubectl and the API server name it in messages.
    #[must_use]
    pub fn qualified_resource(self) -> String {
        match self.group() {
            "" => self.plural().to_owned(),
            group => format!("{}.{group}", self.plural()),
        }
    }

    fn has_api_version(self, text: &str) -> bool {
        match (self.group(), text.split_once('/')) {
            ("", None) => text == self.version(),
            (group, Some(parts)) => !group.is_empty() && parts == (group, self.version()),
            (_, None) => false,
        }
    }

    /// Finds the kind of an `apiVersion` and a `kind`.
    #[must_use]
    pub fn from_api_version(api_version: &str, kind: &str) -> Option<Kind> {
        let mut all = Kind::ALL.iter().copied();
        all.find(|it| it.name() == kind && it.has_api_version(api_version))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
