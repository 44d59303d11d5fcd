//! The flags that all commands understand alike, and those that do not go together.

use super::Session;
use crate::args::{self, Args, Flag};
use crate::failure::Failure;
use crate::output_format::Format;

impl Session<'_> {
    /// Refuses flags that do not go together, where all commands refuse them alike.
    pub(super) fn checked(&self) -> Result<(), Failure> {
        self.check_connection()?;
        if !self.args.is_on("local") {
            return Ok(());
        }
        if self.args.get("dry-run") == Some("server") {
            return Err(Failure::text(
                "cannot specify --local and --dry-run=server - did you mean --dry-run=client?",
            ));
        }
        if self.args.has("filename") {
            return Ok(());
        }
        let positional = &self.args.positional;
        Err(Failure::text(match self.command.as_str() {
            "kubectl patch" if !positional.is_empty() => {
                "cannot specify --local and server resources"
            }
            "kubectl label" => {
                "can only use local files by -f pod.yaml or --filename=pod.json when --local=true \
                 is set"
            }
            "kubectl annotate" => {
                "can only use local files by -f rsrc.yaml or --filename=rsrc.json when \
                 --local=true is set"
            }
            _ => {
                "error: you must specify resources by --filename when --local is set.\nExample \
                 resource specifications include:\n   '-f rsrc.yaml'\n   '--filename=rsrc.json'"
            }
        }))
    }

    /// Refuses what would lead to another server than the one there is. Upstream:
    /// `client-go/tools/clientcmd`.
    fn check_connection(&self) -> Result<(), Failure> {
        let args = &self.args;
        if let Some(text) = args.get("v").filter(|it| it.parse::<i32>().is_err()) {
            return Err(Failure::Flags(format!(
                "invalid argument {text:?} for \"-v, --v\" flag: strconv.ParseInt: parsing {text:?}: \
                 invalid syntax"
            )));
        }
        if ["kubectl config", "kubectl version", "kubectl options"].contains(&self.command.as_str())
        {
            return Ok(());
        }
        let other =
            |flag: &str, own: &str| args.get(flag).filter(|it| !it.is_empty() && *it != own);
        if let Some(file) = other("kubeconfig", "~/.kube/config") {
            return Err(Failure::Text(format!("stat {file}: no such file or directory")));
        }
        if let Some(name) = other("context", "orrery") {
            return Err(Failure::Raw(format!(
                "Error in configuration: context was not found for specified context: {name}\n"
            )));
        }
        if let Some(name) = other("cluster", "orrery") {
            return Err(Failure::Text(format!("no server found for cluster {name:?}")));
        }
        // `set subject` has a flag of its own of this name.
        let user = other("user", "kubernetes-admin").filter(|_| self.command != "kubectl set");
        if let Some(name) = user {
            return Err(Failure::Text(format!("auth info {name:?} does not exist")));
        }
        if let Some(text) = args.get("request-timeout") {
            let is_number = text.parse::<u64>().is_ok();
            let duration = args.duration("request-timeout").ok().flatten();
            if !is_number && duration.is_none_or(|it| it.as_nanos() < 0) {
                return Err(Failure::text(
                    "Invalid timeout value. Timeout must be a single integer in seconds, or an \
                     integer followed by a corresponding time unit (e.g. 1s | 2m | 3h)",
                ));
            }
        }
        Ok(())
    }

    /// Takes the flags of a command apart.
    pub(super) fn parse(&mut self, words: &[String], flags: &[&[Flag]]) -> Result<(), Failure> {
        self.args = Args::parse(words, flags).map_err(Failure::Flags)?;
        if let Some(namespace) = self.args.get("namespace") {
            self.namespace = namespace.to_owned();
        }
        if let Some(other) = self.args.get("validate")
            && args::parse_bool(other).is_none()
            && !matches!(other, "strict" | "warn" | "ignore" | "")
        {
            return Err(Failure::Text(format!(
                "invalid - validate option {other:?}; must be one of: strict (or true), warn, ignore \
                 (or false)"
            )));
        }
        if self.args.has("record") {
            self.output
                .err("Flag --record has been deprecated, --record will be removed in the future\n");
        }
        self.old_dry_run();
        const WITHOUT_TABLES: [&str; 11] = [
            "annotate", "apply", "create", "events", "expose", "label", "patch", "replace", "run",
            "scale", "set",
        ];
        let command = self.command.split(' ').nth(1).unwrap_or_default();
        let changes = command == "rollout"
            && !matches!(
                self.args.positional.first().map(String::as_str),
                Some("status" | "history")
            );
        if changes || WITHOUT_TABLES.contains(&command) {
            Format::check_without_tables(self.args.get("output").unwrap_or_default())?;
        }
        Ok(())
    }

    /// `--dry-run` without a value and with a truth value is of old, and is told so.
    fn old_dry_run(&mut self) {
        let Some(given) = self.args.get("dry-run").map(str::to_owned) else { return };
        let (name, note, new) = match args::parse_bool(&given) {
            Some(true) => (format!("--dry-run={given}"), " (boolean value)", "client"),
            Some(false) => (format!("--dry-run={given}"), " (boolean value)", "none"),
            None if given == "unchanged" => ("--dry-run".to_owned(), "", "client"),
            None => return,
        };
        let at = self.client.now().strftime("%m%d %H:%M:%S%.6f");
        self.output.err(format!(
            "W{at}       1 helpers.go:719] {name} is deprecated{note} and can be replaced with \
             --dry-run={new}.\n"
        ));
        self.args.replace("dry-run", new);
    }
}
