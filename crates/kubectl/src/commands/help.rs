//! `kubectl help`, `--help`, and what commands print that only have subcommands.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/util/templates`, `pkg/cmd/cmd.go`, v1.36.
//! Differs from upstream: the help of one command is its usage and its flags, without examples and
//! explanations.

use super::{COMMANDS, Command, Next, Session};
use crate::args::{Flag, Takes};
use crate::failure::Failure;
use api::Order;

/// The commands as `kubectl help` groups them: a heading, then names with what they do. The order
/// is kubectl's.
pub(crate) const GROUPS: &[(&str, &[(&str, &str)])] = &[
    (
        "Basic Commands (Beginner):",
        &[
            ("create", "Create a resource from a file or from stdin"),
            (
                "expose",
                "Take a replication controller, service, deployment or pod and expose it as a new \
                 Kubernetes service",
            ),
            ("run", "Run a particular image on the cluster"),
            ("set", "Set specific features on objects"),
        ],
    ),
    (
        "Basic Commands (Intermediate):",
        &[
            ("explain", "Get documentation for a resource"),
            ("get", "Display one or many resources"),
            ("edit", "Edit a resource on the server"),
            (
                "delete",
                "Delete resources by file names, stdin, resources and names, or by resources and \
                 label selector",
            ),
        ],
    ),
    (
        "Deploy Commands:",
        &[
            ("rollout", "Manage the rollout of a resource"),
            ("scale", "Set a new size for a deployment, replica set, or replication controller"),
            (
                "autoscale",
                "Auto-scale a deployment, replica set, stateful set, or replication controller",
            ),
        ],
    ),
    (
        "Cluster Management Commands:",
        &[
            ("certificate", "Modify certificate resources"),
            ("cluster-info", "Display cluster information"),
            ("top", "Display resource (CPU/memory) usage"),
            ("cordon", "Mark node as unschedulable"),
            ("uncordon", "Mark node as schedulable"),
            ("drain", "Drain node in preparation for maintenance"),
            ("taint", "Update the taints on one or more nodes"),
        ],
    ),
    (
        "Troubleshooting and Debugging Commands:",
        &[
            ("describe", "Show details of a specific resource or group of resources"),
            ("logs", "Print the logs for a container in a pod"),
            ("attach", "Attach to a running container"),
            ("exec", "Execute a command in a container"),
            ("port-forward", "Forward one or more local ports to a pod"),
            ("proxy", "Run a proxy to the Kubernetes API server"),
            ("cp", "Copy files and directories to and from containers"),
            ("auth", "Inspect authorization"),
            ("debug", "Create debugging sessions for troubleshooting workloads and nodes"),
            ("events", "List events"),
        ],
    ),
    (
        "Advanced Commands:",
        &[
            ("diff", "Diff the live version against a would-be applied version"),
            ("apply", "Apply a configuration to a resource by file name or stdin"),
            ("patch", "Update fields of a resource"),
            ("replace", "Replace a resource by file name or stdin"),
            ("wait", "Wait for a specific condition on one or many resources"),
            ("kustomize", "Build a kustomization target from a directory or URL"),
        ],
    ),
    (
        "Settings Commands:",
        &[
            ("label", "Update the labels on a resource"),
            ("annotate", "Update the annotations on a resource"),
            (
                "completion",
                "Output shell completion code for the specified shell (bash, zsh, fish, or \
                 powershell)",
            ),
        ],
    ),
    ("Subcommands provided by plugins:", &[]),
    (
        "Other Commands:",
        &[
            ("api-resources", "Print the supported API resources on the server"),
            (
                "api-versions",
                "Print the supported API versions on the server, in the form of \"group/version\"",
            ),
            ("config", "Modify kubeconfig files"),
            ("kuberc", "Manage kuberc configuration files"),
            ("plugin", "Provides utilities for interacting with plugins"),
            ("version", "Print the client and server version information"),
        ],
    ),
];

const ROLLOUT: &str = "Manage the rollout of one or many resources.
        
 Valid resource types include:

  *  deployments
  *  daemonsets
  *  statefulsets

Examples:
  # Rollback to the previous deployment
  kubectl rollout undo deployment/abc
  
  # Check the rollout status of a daemonset
  kubectl rollout status daemonset/foo
  
  # Restart a deployment
  kubectl rollout restart deployment/abc
  
  # Restart deployments with the 'app=nginx' label
  kubectl rollout restart deployment --selector=app=nginx
";

const TOP: &str = "Display resource (CPU/memory) usage.

 This command provides a view of recent resource consumption for nodes and pods. It fetches metrics from the Metrics Server, which aggregates this data from the kubelet on each node. The Metrics Server must be installed and running in the cluster for this command to work.

 The metrics shown are specifically optimized for Kubernetes autoscaling decisions, such as those made by the Horizontal Pod Autoscaler (HPA) and Vertical Pod Autoscaler (VPA). Because of this, the values may not match those from standard OS tools like 'top', as the metrics are designed to provide a stable signal for autoscalers rather than for pinpoint accuracy.

 FAQ for Metrics Server: https://github.com/kubernetes-sigs/metrics-server/blob/master/FAQ.md

 When to use this command:

  *  For on-the-fly spot-checks of resource usage (e.g. identify which pods are consuming the most resources at a glance, or get a quick sense of the load on your nodes)
  *  Understand current resource consumption patterns
  *  Validate the behavior of your HPA or VPA configurations by seeing the metrics they use for scaling decisions.

 It is not intended to be a replacement for full-featured monitoring solutions. Its primary design goal is to provide a low-overhead signal for autoscalers, not to be a perfectly accurate monitoring tool. For high-accuracy reporting, historical analysis, dashboarding, or alerting, you should use a dedicated monitoring solution.
";

const SET: &str = "Configure application resources.

 These commands help you make changes to existing application resources.
";

/// A command of which only the subcommands do something.
struct Parent {
    name: &'static str,
    text: &'static str,
    /// Names with what they do.
    commands: &'static [(&'static str, &'static str)],
    usage: &'static str,
}

/// Upstream: the `NewCmd...` of these, and `DefaultSubCommandRun`.
const PARENTS: &[Parent] = &[
    Parent {
        name: "rollout",
        text: ROLLOUT,
        commands: &[
            ("history", "View rollout history"),
            ("pause", "Mark the provided resource as paused"),
            ("restart", "Restart a resource"),
            ("resume", "Resume a paused resource"),
            ("status", "Show the status of the rollout"),
            ("undo", "Undo a previous rollout"),
        ],
        usage: "rollout SUBCOMMAND",
    },
    Parent {
        name: "set",
        text: SET,
        commands: &[
            ("env", "Update environment variables on a pod template"),
            ("image", "Update the image of a pod template"),
            ("resources", "Update resource requests/limits on objects with pod templates"),
            ("selector", "Set the selector on a resource"),
            ("serviceaccount", "Update the service account of a resource"),
            (
                "subject",
                "Update the user, group, or service account in a role binding or cluster role \
                 binding",
            ),
        ],
        usage: "set SUBCOMMAND",
    },
    Parent {
        name: "top",
        text: TOP,
        commands: &[
            ("node", "Display resource (CPU/memory) usage of nodes"),
            ("pod", "Display resource (CPU/memory) usage of pods"),
        ],
        usage: "top [flags]",
    },
    Parent {
        name: "auth",
        text: "Inspect authorization.\n",
        commands: &[
            ("can-i", "Check whether an action is allowed"),
            (
                "reconcile",
                "Reconciles rules for RBAC role, role binding, cluster role, and cluster \
                           role binding objects",
            ),
            ("whoami", "Experimental: Check self subject attributes"),
        ],
        usage: "auth [flags]",
    },
    Parent {
        name: "config",
        text: "Modify kubeconfig files using subcommands like \"kubectl config set current-context \
               my-context\".\n",
        commands: &[
            ("current-context", "Display the current-context"),
            ("delete-cluster", "Delete the specified cluster from the kubeconfig"),
            ("delete-context", "Delete the specified context from the kubeconfig"),
            ("delete-user", "Delete the specified user from the kubeconfig"),
            ("get-clusters", "Display clusters defined in the kubeconfig"),
            ("get-contexts", "Describe one or many contexts"),
            ("get-users", "Display users defined in the kubeconfig"),
            ("rename-context", "Rename a context from the kubeconfig file"),
            ("set", "Set an individual value in a kubeconfig file"),
            ("set-cluster", "Set a cluster entry in kubeconfig"),
            ("set-context", "Set a context entry in kubeconfig"),
            ("set-credentials", "Set a user entry in kubeconfig"),
            ("unset", "Unset an individual value in a kubeconfig file"),
            ("use-context", "Set the current-context in a kubeconfig file"),
            ("view", "Display merged kubeconfig settings or a specified kubeconfig file"),
        ],
        usage: "config SUBCOMMAND",
    },
];

/// The subcommands of a command, for those that have some.
pub(crate) fn subcommands(name: &str) -> &'static [(&'static str, &'static str)] {
    PARENTS.iter().find(|it| it.name == name).map_or(&[], |it| it.commands)
}

/// The answer to a command that lacks its subcommand.
pub(super) fn parent(name: &str) -> String {
    let Some(parent) = PARENTS.iter().find(|it| it.name == name) else { return String::new() };
    format!(
        "{}\nAvailable Commands:\n{}\nUsage:\n  kubectl {} [options]\n\n{}",
        parent.text,
        listed(parent.commands),
        parent.usage,
        hint(name),
    )
}

fn hint(name: &str) -> String {
    let name = if name.is_empty() { String::new() } else { format!("{name} ") };
    format!(
        "Use \"kubectl {name}<command> --help\" for more information about a given command.\n\
         Use \"kubectl options\" for a list of global command-line options (applies to all \
         commands).\n"
    )
}

/// Names in a column as wide as the longest, three blanks, what they do.
fn listed(commands: &[(&str, &str)]) -> String {
    let longest = commands.iter().map(|it| it.0.len()).max().unwrap_or_default().max(11);
    let line = |it: &(&str, &str)| format!("  {:longest$}   {}\n", it.0, it.1);
    commands.iter().map(line).collect()
}

fn groups() -> String {
    let all = GROUPS.iter().flat_map(|it| it.1);
    let longest = all.map(|it| it.0.len()).max().unwrap_or_default();
    let mut text = String::new();
    for (heading, commands) in GROUPS {
        text.push_str(&format!("{heading}\n"));
        for (name, what) in *commands {
            text.push_str(&format!("  {name:longest$}   {what}\n"));
        }
        text.push('\n');
    }
    format!("{text}Usage:\n  kubectl [flags] [options]\n\n{}", hint(""))
}

/// `kubectl`, `kubectl help`, `kubectl help get`.
pub(super) fn help(session: &mut Session<'_>, topic: &[String]) -> Next {
    let topic: Vec<&str> =
        topic.iter().map(String::as_str).filter(|it| !it.starts_with('-')).collect();
    if let Some(name) = topic.first()
        && !COMMANDS.iter().any(|it| it.name == *name)
    {
        let topic: Vec<String> = topic.iter().map(|it| format!("`{it}`")).collect();
        let unknown = format!("Unknown help topic [{}]\n\n\n", topic.join(" "));
        session.output.err(format!("{unknown}{}", groups()));
        return Next::Done;
    }
    let text = match topic.first() {
        None => format!(
            "kubectl controls the Kubernetes cluster manager.\n\n Find more information at: \
             https://kubernetes.io/docs/reference/kubectl/\n\n{}",
            groups()
        ),
        Some(name) => match COMMANDS.iter().find(|it| it.name == *name) {
            Some(command) => of_command(command),
            None => String::new(),
        },
    };
    session.output.out(text);
    Next::Done
}

/// What a command does, its usage and its flags.
pub(super) fn of_command(command: &Command) -> String {
    let name = command.name;
    if PARENTS.iter().any(|it| it.name == name) {
        return parent(name);
    }
    let all = GROUPS.iter().flat_map(|it| it.1);
    let what = all.into_iter().find(|it| it.0 == name).map_or("", |it| it.1);
    let mut flags: Vec<&Flag> = command.flags.iter().copied().flatten().collect();
    flags.order_by_key(|it| it.long);
    flags.dedup_by_key(|it| it.long);
    let options: String = flags.into_iter().map(option).collect();
    format!(
        "{what}.\n\nOptions:\n{options}\nUsage:\n  kubectl {name} [options]\n\nUse \"kubectl \
         options\" for a list of global command-line options (applies to all commands).\n"
    )
}

/// `    -o, --output=...:`
pub(super) fn option(flag: &Flag) -> String {
    let short = flag.short.map_or("    ".to_owned(), |it| format!("-{it}, "));
    let value = match flag.takes {
        Takes::Nothing => "",
        Takes::Value => "=VALUE",
        Takes::Optional(_) => "[=VALUE]",
    };
    format!("    {short}--{}{value}\n", flag.long)
}

/// `kubectl options`.
pub(super) fn options(session: &mut Session<'_>) -> Result<Next, Failure> {
    let lines: String = crate::args::GLOBAL.iter().map(option).collect();
    let text = "The following options can be passed to any command:\n\n";
    session.output.out(format!("{text}{lines}"));
    Ok(Next::Done)
}
