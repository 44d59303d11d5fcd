//! How a command writes: under which name of a field manager, for show or in earnest.

use api::{Action, Object};

use super::Session;
use crate::DryRun;
use crate::failure::Failure;

impl Session<'_> {
    /// Sends a write and prints the server's warnings.
    pub(crate) fn write(&mut self, action: &Action) -> Result<Option<Object>, Failure> {
        self.write_as(&self.manager(), action)
    }

    /// As [`Self::write`], under the name of a field manager.
    pub(crate) fn write_as(
        &mut self,
        manager: &str,
        action: &Action,
    ) -> Result<Option<Object>, Failure> {
        let dry_run = match self.dry_run()? {
            Some(DryRun::Server) => DryRun::Server,
            _ => DryRun::None,
        };
        self.client.set_manager(manager);
        let result = self.client.write(action, dry_run);
        self.warnings();
        let mut result = result?;
        if dry_run == DryRun::Server
            && let (Action::Create { .. }, Some(object)) = (action, &mut result)
        {
            // What is not stored has no version.
            object.meta_mut().resource_version = None;
        }
        if dry_run == DryRun::Server
            && let (Action::Patch { .. } | Action::Update(_), Some(object)) = (action, &mut result)
        {
            self.keep_version(object);
        }
        match result {
            Some(object)
                if self.args.is_on("record") && !matches!(action, Action::Delete { .. }) =>
            {
                Ok(Some(self.record(object, dry_run)))
            }
            result => Ok(result),
        }
    }

    /// What a dry run comes to is not stored: its version is that of the object that is.
    pub(crate) fn keep_version(&self, object: &mut Object) {
        let stored = self.client.objects().get(&object.object_ref());
        let version = stored.and_then(|it| it.meta().resource_version.clone());
        object.meta_mut().resource_version = version;
    }

    /// Writes the command into an annotation, as the cause of a change. Upstream:
    /// `ChangeCauseRecorder`.
    fn record(&mut self, object: Object, dry_run: DryRun) -> Object {
        if dry_run == DryRun::Server {
            return object;
        }
        // The subcommands of `set` are among the arguments already.
        let command = self.command.split(' ').take(2).collect::<Vec<_>>().join(" ");
        let mut cause = [&[command], &self.args.positional[..]].concat().join(" ");
        for (flag, value) in &self.args.given {
            cause.push_str(&format!(" --{flag}={value}"));
        }
        let annotations = serde_json::json!({"kubernetes.io/change-cause": cause});
        let patch = serde_json::json!({"metadata": {"annotations": annotations}});
        let key = object.object_ref();
        let action = Action::Patch { key, subresource: "", patch: api::Patch::Merge(patch) };
        self.client.set_manager(&self.manager());
        self.client.write(&action, dry_run).ok().flatten().unwrap_or(object)
    }

    /// The name of the field manager: the one that is given, or that of the command. Upstream:
    /// `AddFieldManagerFlagVar` of the commands.
    pub(crate) fn manager(&self) -> String {
        if let Some(manager) = self.args.get("field-manager") {
            return manager.to_owned();
        }
        let command = self.command.split(' ').nth(1).unwrap_or_default();
        match command {
            "apply" | "diff" if self.args.is_on("server-side") => "kubectl".to_owned(),
            "apply" | "diff" => "kubectl-client-side-apply".to_owned(),
            "annotate" | "autoscale" | "create" | "edit" | "expose" | "label" | "patch"
            | "replace" | "rollout" | "run" | "set" | "taint" => format!("kubectl-{command}"),
            _ => "kubectl".to_owned(),
        }
    }

    /// Sends a patch of an object. A client that only pretends works it out by itself: what comes
    /// out is what the server would store, but for what only a write changes. What the server
    /// would refuse, it does not know.
    pub(crate) fn patched(&mut self, object: &Object, action: &Action) -> Result<Object, Failure> {
        if self.args.is_on("local")
            && let Action::Patch { patch, .. } = action
        {
            return Ok(self.client.patch(object, patch)?);
        }
        if self.dry_run()? != Some(DryRun::None) {
            return Ok(self.write(action)?.unwrap_or_else(|| object.clone()));
        }
        self.warnings();
        self.client.set_manager(&self.manager());
        let result = self.client.write(action, DryRun::Server).ok().flatten();
        self.client.take_warnings();
        let mut result = result.unwrap_or_else(|| object.clone());
        result.meta_mut().generation = object.meta().generation;
        result.meta_mut().resource_version.clone_from(&object.meta().resource_version);
        Ok(result)
    }

    /// `None` without `--dry-run`; `Some(None)` for the client's.
    pub(crate) fn dry_run(&self) -> Result<Option<DryRun>, Failure> {
        match self.args.get("dry-run") {
            None | Some("none") => Ok(None),
            Some("client") => Ok(Some(DryRun::None)),
            Some("server") => Ok(Some(DryRun::Server)),
            Some(other) => Err(Failure::Text(format!(
                "Invalid dry-run value ({other}). Must be \"none\", \"server\", or \"client\"."
            ))),
        }
    }

    /// ` (dry run)` or nothing, for messages.
    pub(super) fn dry_run_note(&self) -> Result<&'static str, Failure> {
        Ok(match self.dry_run()? {
            None => "",
            Some(DryRun::None) => " (dry run)",
            Some(DryRun::Server) => " (server dry run)",
        })
    }
}
