//! What the words of each command are.

use api::Kind;

/// What may stand at a place of a command line that is no flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Nothing,
    /// Kinds, or `KIND/NAME`; all for none.
    Kinds(&'static [Kind]),
    /// Names of one kind.
    Names(Kind),
    /// Names of the kind that the first word says.
    OfKind,
    Words(&'static [&'static str]),
    Fields,
    Commands,
}

const ROLLED: &[Kind] = &[Kind::Deployment, Kind::DaemonSet, Kind::StatefulSet];
const SCALED: &[Kind] = &[Kind::Deployment, Kind::ReplicaSet, Kind::StatefulSet];
const EXPOSED: &[Kind] = &[Kind::Pod, Kind::Service, Kind::Deployment, Kind::ReplicaSet];

/// What the word number `n` (0 is the first) is that is neither command nor flag.
pub(super) fn place(command: &str, subcommand: &str, n: usize) -> Place {
    let kinds_then_names = |kinds| if n == 0 { Place::Kinds(kinds) } else { Place::OfKind };
    match command {
        "get" | "describe" | "delete" | "label" | "annotate" | "edit" | "patch" | "wait" => {
            kinds_then_names(&[])
        }
        "rollout" => kinds_then_names(ROLLED),
        "scale" | "autoscale" => kinds_then_names(SCALED),
        "expose" => kinds_then_names(EXPOSED),
        "set" => kinds_then_names(&[]),
        "explain" if n == 0 => Place::Fields,
        "logs" | "exec" | "attach" | "port-forward" | "cp" if n == 0 => Place::Names(Kind::Pod),
        "cordon" | "uncordon" | "drain" => Place::Names(Kind::Node),
        "taint" if n == 0 => Place::Words(&["node", "nodes"]),
        "taint" if n == 1 => Place::Names(Kind::Node),
        "top" if subcommand.starts_with("no") => Place::Names(Kind::Node),
        "top" => Place::Names(Kind::Pod),
        "auth" if n == 0 => {
            Place::Words(&["create", "delete", "get", "list", "patch", "update", "watch"])
        }
        "auth" if n == 1 => Place::Kinds(&[]),
        "help" if n == 0 => Place::Commands,
        _ => Place::Nothing,
    }
}

/// The values that a flag may have, where they are few.
pub(super) fn values_of(flag: &str) -> &'static str {
    match flag {
        "output" => "custom-columns= go-template= json jsonpath= jsonpath-as-json= name wide yaml",
        "dry-run" => "none client server",
        "type" => "json merge strategic ClusterIP NodePort LoadBalancer ExternalName",
        "cascade" => "background foreground orphan",
        "restart" => "Always OnFailure Never",
        "for" => "condition= create delete jsonpath=",
        "subresource" => "status scale resize",
        "validate" => "strict warn ignore",
        "types" => "Normal Warning",
        "field-selector" => "metadata.name= spec.nodeName= status.phase= involvedObject.name=",
        "sort-by" => ".metadata.creationTimestamp .metadata.name .spec.nodeName .status.phase",
        _ => "",
    }
}
