//! kubectl's view of the store: every write is a change that all components hear of.

use api::{Action, ApiError, Object, Objects, Patch, Timestamp};
use kubectl::{Client, DryRun};
use view::LinkFile;

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

    fn namespace(&self) -> &str {
        &self.world.namespace
    }

    fn set_namespace(&mut self, namespace: &str) {
        namespace.clone_into(&mut self.world.namespace);
    }

    fn set_manager(&mut self, manager: &str) {
        self.world.store.set_manager(Some(manager));
    }

    fn write(&mut self, action: &Action, dry_run: DryRun) -> Result<Option<Object>, ApiError> {
        let result = match dry_run {
            DryRun::None => self.world.write(action.clone(), self.by, self.run, self.logs),
            DryRun::Server => {
                let (result, warnings) = pretend(self.world, action, None);
                self.world.dry_run_warnings.extend(warnings);
                result
            }
        };
        // The next write may be that of a component.
        self.world.store.set_manager(None);
        result
    }

    fn patch(&self, object: &Object, patch: &Patch) -> Result<Object, ApiError> {
        apiserver::apply_patch(object, patch)
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

    fn logs(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        previous: bool,
    ) -> Option<Vec<(Timestamp, String)>> {
        log(self.world, namespace, pod, container, previous)
    }
}

/// What a container has printed.
fn log(
    world: &World,
    namespace: &str,
    pod: &str,
    container: &str,
    previous: bool,
) -> Option<Vec<(Timestamp, String)>> {
    let pod = world.store.listers().get(namespace, pod)?;
    kubelet::container_log(pod, container, previous, world.now)
}

/// Where the book's files are published: `https://HOST/CHAPTER/FILE`.
const BOOK: [&str; 4] = [
    "https://k8spatterns.com/",
    "https://k8spatterns.io/",
    "http://k8spatterns.io/",
    "https://raw.githubusercontent.com/k8spatterns/examples/",
];

/// The text of a file of the run; a path also stands for its last part, an address of the book for
/// the file of its chapter. Other addresses stand for nothing: nothing is fetched.
fn file(run: &Run, input: &str, name: &str) -> Option<String> {
    if name == "-" {
        return Some(input.to_owned());
    }
    let path = match BOOK.iter().find_map(|it| name.strip_prefix(it)) {
        Some(path) => path,
        None if name.contains("://") => return None,
        None => name,
    };
    // The parts from the last one on that both have.
    let n_same = |it: &LinkFile| {
        let pairs = it.name.rsplit('/').zip(path.rsplit('/'));
        pairs.take_while(|(a, b)| a == b).count()
    };
    let mut best = None;
    for it in run.files.iter() {
        let n = n_same(it);
        // Of several that are as near, the first.
        if n > best.map_or(0, |it: (usize, &LinkFile)| it.0) {
            best = Some((n, it));
        }
    }
    best.map(|it| it.1.text.clone())
}

/// The store for somebody who only looks: nothing is copied but for a dry run.
pub(crate) struct Reader<'a> {
    world: &'a World,
    run: &'a Run,
    input: &'a str,
    warnings: Vec<String>,
    manager: String,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(world: &'a World, run: &'a Run, input: &'a str) -> Self {
        Self { world, run, input, warnings: vec![], manager: String::new() }
    }
}

impl Client for Reader<'_> {
    fn now(&self) -> Timestamp {
        self.world.now
    }

    fn objects(&self) -> &Objects {
        self.world.store.objects()
    }

    fn namespace(&self) -> &str {
        &self.world.namespace
    }

    fn set_manager(&mut self, manager: &str) {
        manager.clone_into(&mut self.manager);
    }

    fn write(&mut self, action: &Action, _: DryRun) -> Result<Option<Object>, ApiError> {
        let (result, warnings) = pretend(self.world, action, Some(&self.manager));
        self.warnings.extend(warnings);
        result
    }

    fn patch(&self, object: &Object, patch: &Patch) -> Result<Object, ApiError> {
        apiserver::apply_patch(object, patch)
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

    fn logs(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        previous: bool,
    ) -> Option<Vec<(Timestamp, String)>> {
        log(self.world, namespace, pod, container, previous)
    }
}

/// What the server would answer, and its warnings.
fn pretend(
    world: &World,
    action: &Action,
    manager: Option<&str>,
) -> (Result<Option<Object>, ApiError>, Vec<String>) {
    let mut copy = world.store.clone();
    if manager.is_some() {
        copy.set_manager(manager);
    }
    let mut result = copy.apply_action(action.clone(), world.now);
    // Nothing was stored, so there is no new version.
    if let Ok(Some(object)) = &mut result {
        let old = world.store.objects().get(&object.object_ref());
        let version = old.and_then(|it| it.meta().resource_version.clone());
        object.meta_mut().resource_version = version;
    }
    (result, copy.take_warnings())
}

#[cfg(test)]
mod tests {
    use crate::{Options, Preset, Simulation};
    use view::LinkFile;

    #[test]
    fn a_file_is_found_by_its_name_its_path_and_its_address_in_the_book() {
        let config_map =
            |name: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n");
        let names = ["A/x.yml", "A/same.yml", "B/same.yml", "gallery.yaml", "deep/C/x.yml"];
        let file = |name: &&str| LinkFile {
            name: (*name).to_owned(),
            text: config_map(&name.to_lowercase().replace('/', ".")),
        };
        let files = names.iter().map(file).collect();
        let options = Options { preset: Some(Preset::Empty), files, ..Options::default() };
        let simulation = Simulation::load("", options).unwrap();
        let raw = "https://raw.githubusercontent.com/k8spatterns/examples/main/behavioral";
        for (name, found) in [
            ("x.yml", "a.x.yml"),
            ("C/x.yml", "deep.c.x.yml"),
            ("./A/x.yml", "a.x.yml"),
            ("same.yml", "a.same.yml"),
            ("https://k8spatterns.com/B/same.yml", "b.same.yml"),
            ("https://k8spatterns.io/B/same.yml", "b.same.yml"),
            (&format!("{raw}/B/same.yml"), "b.same.yml"),
            ("gallery.yaml", "gallery.yaml"),
        ] {
            let result = simulation.look(&format!("kubectl create -f {name}"));
            assert_eq!(result.output, format!("configmap/{found} created\n"), "{name}");
        }
        for (name, refusal) in [
            ("y.yml", "error: the path \"y.yml\" does not exist\n"),
            (
                "https://k8spatterns.com/A/y.yml",
                "error: unable to read URL \"https://k8spatterns.com/A/y.yml\", server reported 404 \
                 Not Found, status code=404\n",
            ),
            (
                "https://example.com/A/x.yml",
                "error: unable to read URL \"https://example.com/A/x.yml\": nothing is fetched here; \
                 paste the file and use `-f -`, or open it in the editor\n",
            ),
        ] {
            let result = simulation.look(&format!("kubectl create -f {name}"));
            assert_eq!((result.output.as_str(), result.exit_code), (refusal, 1), "{name}");
        }
    }
}
