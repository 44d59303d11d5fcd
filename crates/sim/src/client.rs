//! kubectl's view of the store: every write is a change that all components hear of.

use api::{Action, ApiError, Object, Objects, Timestamp};
use kubectl::{Client, DryRun};

use crate::history::Actor;
use crate::world::{Logs, Run, World};

/// The store as a server that kubectl talks to.
pub(crate) struct StoreClient<'a> {
    pub(crate) world: &'a mut World,
    pub(crate) run: &'a Run,
    pub(crate) logs: &'a mut Logs,
    pub(crate) by: Actor,
    pub(crate) input: &'a str,
}

impl Client for StoreClient<'_> {
    fn now(&self) -> Timestamp {
        self.world.now
    }

    fn objects(&self) -> &Objects {
        self.world.store.objects()
    }

    fn write(&mut self, action: &Action, dry_run: DryRun) -> Result<Option<Object>, ApiError> {
        match dry_run {
            DryRun::None => self.world.write(action.clone(), self.by, self.run, self.logs),
            DryRun::Server => {
                let mut copy = self.world.store.clone();
                let mut result = copy.apply_action(action.clone(), self.world.now);
                self.world.dry_run_warnings.extend(copy.take_warnings());
                // Nothing was stored, so there is no new version.
                if let Ok(Some(object)) = &mut result {
                    let old = self.world.store.objects().get(&object.object_ref());
                    let version = old.and_then(|it| it.meta().resource_version.clone());
                    object.meta_mut().resource_version = version;
                }
                result
            }
        }
    }

    fn take_warnings(&mut self) -> Vec<String> {
        let mut warnings = std::mem::take(&mut self.world.dry_run_warnings);
        warnings.extend(self.world.store.take_warnings());
        warnings
    }

    fn files(&self) -> Vec<String> {
        self.run.files.iter().map(|it| it.name.clone()).collect()
    }

    fn documentation(&self) -> Option<&str> {
        self.run.documentation.as_deref()
    }

    fn file(&self, name: &str) -> Option<String> {
        if name == "-" {
            return Some(self.input.to_owned());
        }
        let base = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
        let exact = self.run.files.iter().find(|it| it.name == name);
        let file = exact.or_else(|| self.run.files.iter().find(|it| base(&it.name) == base(name)));
        file.map(|it| it.text.clone())
    }
}
