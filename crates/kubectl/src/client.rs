//! What kubectl needs of a cluster. A simulation gives it in a few lines over its store.

use api::{Action, ApiError, Object, Objects, Patch, Timestamp};

/// Whether a write is carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DryRun {
    /// It is.
    #[default]
    None,
    /// The server checks and answers, but stores nothing (`--dry-run=server`).
    Server,
}

/// A cluster as kubectl sees it.
pub trait Client {
    /// The present, for ages and deadlines.
    fn now(&self) -> Timestamp;

    /// All objects. Reads see the last write.
    fn objects(&self) -> &Objects;

    /// The namespace of the context, for commands that name none.
    fn namespace(&self) -> &str {
        "default"
    }

    /// Gives the context a namespace (`config set-context`).
    fn set_namespace(&mut self, namespace: &str) {
        let _ = namespace;
    }

    /// Says under which name of a field manager the next write is.
    fn set_manager(&mut self, manager: &str) {
        let _ = manager;
    }

    /// Sends a write. `scale` goes through [`Action::Patch`] of the subresource `scale`.
    ///
    /// # Errors
    /// The server's refusal.
    fn write(&mut self, action: &Action, dry_run: DryRun) -> Result<Option<Object>, ApiError>;

    /// What a patch makes of an object that no server need have (`--local`).
    ///
    /// # Errors
    /// Why the patch does not fit.
    fn patch(&self, object: &Object, patch: &Patch) -> Result<Object, ApiError>;

    /// The server's warnings since the last call, without the word `Warning: `.
    fn take_warnings(&mut self) -> Vec<String>;

    /// The text of a file that `-f` names; `-` is the standard input.
    fn file(&self, name: &str) -> Option<String>;

    /// The names of the files that there are, for completion.
    fn files(&self) -> Vec<String> {
        vec![]
    }

    /// The documentation of all fields, as `crates/schema` writes it, where it is loaded.
    fn documentation(&self) -> Option<&str> {
        None
    }

    /// The lines of a container's log with their times, or nothing where it has not started.
    fn logs(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        previous: bool,
    ) -> Option<Vec<(Timestamp, String)>> {
        let _ = (namespace, pod, container, previous);
        None
    }
}
