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
                let (result, warnings) = pretend(self.world, action);
                self.world.dry_run_warnings.extend(warnings);
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
        file(self.run, self.input, name)
    }
}

/// The text of a file of the run; a path or a URL also stands for its last part.
fn file(run: &Run, input: &str, name: &str) -> Option<String> {
    if name == "-" {
        return Some(input.to_owned());
    }
    let base = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
    let exact = run.files.iter().find(|it| it.name == name);
    let file = exact.or_else(|| run.files.iter().find(|it| base(&it.name) == base(name)));
    file.map(|it| it.text.clone())
}

/// The store for somebody who only looks: nothing is copied but for a dry run.
pub(crate) struct Reader<'a> {
    world: &'a World,
    run: &'a Run,
    input: &'a str,
    warnings: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(world: &'a World, run: &'a Run, input: &'a str) -> Self {
        Self { world, run, input, warnings: vec![] }
    }
}

impl Client for Reader<'_> {
    fn now(&self) -> Timestamp {
        self.world.now
    }

    fn objects(&self) -> &Objects {
        self.world.store.objects()
    }

    fn write(&mut self, action: &Action, _: DryRun) -> Result<Option<Object>, ApiError> {
        let (result, warnings) = pretend(self.world, action);
        self.warnings.extend(warnings);
        result
    }

    fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    fn files(&self) -> Vec<String> {
        self.run.files.iter().map(|it| it.name.clone()).collect()
    }

    fn documentation(&self) -> Option<&str> {
        self.run.documentation.as_deref()
    }

    fn file(&self, name: &str) -> Option<String> {
        file(self.run, self.input, name)
    }
}

/// What the server would answer, and its warnings.
fn pretend(world: &World, action: &Action) -> (Result<Option<Object>, ApiError>, Vec<String>) {
    let mut copy = world.store.clone();
    let mut result = copy.apply_action(action.clone(), world.now);
    // Nothing was stored, so there is no new version.
    if let Ok(Some(object)) = &mut result {
        let old = world.store.objects().get(&object.object_ref());
        let version = old.and_then(|it| it.meta().resource_version.clone());
        object.meta_mut().resource_version = version;
    }
    (result, copy.take_warnings())
}
