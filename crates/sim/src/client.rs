//! kubectl's view of the store: every write is a change that all components hear of.

use api::{Action, yaml};
use view::{CommandResult, LinkFile};

use crate::history::Actor;
use crate::world::{Logs, Run, World};

/// The store as a server that kubectl talks to.
pub(crate) struct StoreClient<'a> {
    pub(crate) world: &'a mut World,
    pub(crate) run: &'a Run,
    pub(crate) logs: &'a mut Logs,
    pub(crate) by: Actor,
    pub(crate) files: &'a [LinkFile],
    pub(crate) input: &'a str,
}

impl StoreClient<'_> {
    /// Runs a command line without the word `kubectl`.
    pub(crate) fn run_line(&mut self, line: &str) -> CommandResult {
        let mut output = String::new();
        let mut exit_code = 0;
        if line.starts_with("apply -f -") || line.starts_with("create -f -") {
            for document in yaml::read(self.input).documents {
                let Some(object) = document.object() else { continue };
                let action = Action::Create { object: object.clone(), created: None, failed: None };
                match self.world.write(&action, self.by, self.run, self.logs) {
                    Ok(_) => output.push_str("created\n"),
                    Err(error) => {
                        output.push_str(&format!("{error}\n"));
                        exit_code = 1;
                    }
                }
            }
        } else {
            let _ = self.files;
            exit_code = 1;
            output.push_str("kubectl is not there yet\n");
        }
        CommandResult { output, exit_code, forked: None }
    }
}
