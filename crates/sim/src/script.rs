//! A text, understood: which cluster, which objects, which steps.

use api::Gather;
use api::Order;
use std::collections::BTreeSet;
use std::sync::Arc;

use api::k8s_openapi::api::batch::v1::CronJob;
use api::scenario::{Preset, ScenarioSpec};
use api::yaml::{self, Body, Document};
use api::{Action, ApiError, Kind, Object, ObjectRef, Settings, Timestamp, Zones, time};
use scheduler::Scheduler;
use scheduler::extender::Handlers;
use serde::Deserialize;
use view::{Diagnostic, LinkFile, Notice, Severity, TimedAction};

use crate::annotations;
use crate::history::Actor;
use crate::import;
use crate::steps::Step;
use crate::world::{Budgets, Logs, Run, World};

/// When simulated time begins where the scenario does not say: a Thursday.
const DEFAULT_START: Timestamp = Timestamp::constant(1_767_225_600, 0);

/// The nodes of a cluster are there so long before time zero, so that it begins settled.
const BOOT_MS: i64 = 60_000;

/// The most events that a cluster may need to settle, by node.
const BOOT_EVENTS_PER_NODE: u64 = 1_000;

/// How to run a text; what is absent is as the text's scenario says, or the default.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Options {
    /// The cluster to begin with.
    pub preset: Option<Preset>,
    /// The seed of everything random.
    pub seed: Option<u64>,
    /// When simulated time begins.
    pub start: Option<Timestamp>,
    /// What the user does during the run.
    pub actions: Vec<TimedAction>,
    /// Texts that `kubectl -f NAME` finds.
    pub files: Vec<LinkFile>,
    /// Limits that stop the run.
    pub budgets: Budgets,
    /// Time zones.
    #[serde(skip)]
    pub zones: Zones,
    /// The documentation of all fields, for `kubectl explain`.
    #[serde(skip)]
    pub documentation: Option<Arc<str>>,
    /// Delays instead of those of the scenario.
    #[serde(skip)]
    pub settings: Option<Settings>,
    /// What answers for the scheduler's extenders.
    #[serde(skip)]
    pub extenders: Handlers,
}

/// A text, understood.
pub(crate) struct Script {
    pub(crate) text: String,
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) title: String,
    pub(crate) notices: Vec<Notice>,
    pub(crate) until_ms: Option<i64>,
    spec: ScenarioSpec,
    scheduler_configuration: Option<serde_json::Value>,
    preset: Preset,
    documents: Vec<Document>,
}

impl Script {
    /// Reads a text.
    ///
    /// # Errors
    /// All diagnostics, if one of them is an error.
    pub(crate) fn read(text: &str, options: &Options) -> Result<Self, Vec<Diagnostic>> {
        let mut reading = yaml::read(text);
        import::soften(&mut reading);
        if !reading.is_clean() {
            return Err(reading.diagnostics);
        }
        let mut diagnostics = reading.diagnostics;
        let documents = reading.documents;
        let mut scenario = None;
        for document in &documents {
            if let Body::Scenario(it) = &document.body {
                if scenario.is_some() {
                    let message = "a text has at most one Scenario; this one is not used";
                    diagnostics.push(about(
                        document,
                        Severity::Warning,
                        "second-scenario",
                        message,
                    ));
                } else {
                    scenario = Some(it.clone());
                }
            }
        }
        let scenario = scenario.unwrap_or_default();
        let scheduler_configuration = scheduler_configuration(&documents, &mut diagnostics);
        if diagnostics.iter().any(|it| it.severity == Severity::Error) {
            return Err(diagnostics);
        }
        let has_node = documents.iter().any(|it| import::object(it).is_some_and(is_node));
        let fallback = if has_node { Preset::Empty } else { Preset::Default };
        let preset = options.preset.or(scenario.spec.preset).unwrap_or(fallback);
        Ok(Self {
            text: text.to_owned(),
            diagnostics,
            title: scenario.title().to_owned(),
            notices: Vec::new(),
            until_ms: scenario.spec.until.map(|it| it.as_millis()),
            spec: scenario.spec,
            scheduler_configuration,
            preset,
            documents,
        })
    }

    /// What the run is a function of.
    pub(crate) fn run(&self, options: &Options) -> Run {
        Run {
            start: options
                .start
                .or(self.spec.start)
                .unwrap_or_else(|| import::present(&self.documents).unwrap_or(DEFAULT_START)),
            seed: options.seed.or(self.spec.seed).unwrap_or_default(),
            settings: options.settings.clone().unwrap_or_else(|| self.settings()),
            zones: options.zones.clone(),
            budgets: options.budgets,
            files: options.files.clone(),
            scheduler_configuration: self.scheduler_configuration.clone(),
            extenders: options.extenders.clone(),
            documentation: options.documentation.clone(),
        }
    }

    fn settings(&self) -> Settings {
        let of = &self.spec.settings;
        let mut settings = Settings::default();
        if let Some(it) = of.scheduling_latency {
            settings.scheduling_latency_ms = it.as_millis();
        }
        if let Some(it) = of.container_start {
            settings.container_start_ms = it.as_millis();
        }
        if let Some(it) = of.image_pull {
            settings.container_start_ms += it.as_millis();
        }
        if let Some(it) = of.stop_delay {
            settings.stop_delay_ms = it.as_millis();
        }
        if let Some(it) = of.default_duration {
            settings.default_duration_ms = it.as_millis();
        }
        settings
    }

    /// The steps of the scenario and the user's, in order of time; at equal times the scenario's
    /// come first, each group in its own order.
    pub(crate) fn steps(&self, actions: &[TimedAction]) -> Vec<Step> {
        let scenario = self.spec.steps.iter().map(|step| {
            let command = match (&step.action, &step.kubectl) {
                (Some(line), _) => line.clone(),
                (None, Some(line)) if line.trim_start().starts_with("kubectl ") => line.clone(),
                (None, Some(line)) => format!("kubectl {line}"),
                (None, None) => String::new(),
            };
            let yaml = step.apply.as_ref().map(manifest).unwrap_or_default();
            let at_ms = step.at.as_millis().max(0);
            let action = TimedAction { at_ms, command, yaml };
            Step { at_ms, by: Actor::Scenario, action, note: step.note.clone() }
        });
        let mut steps: Vec<_> =
            scenario.chain(actions.iter().cloned().map(Step::of_user)).collect();
        steps.order_by_key(|it| it.at_ms);
        steps
    }

    /// Builds the cluster: nodes first, a minute before time zero; the rest at time zero in the
    /// order of the text.
    ///
    /// # Errors
    /// All diagnostics, if an object is refused.
    pub(crate) fn boot(
        mut self,
        run: &Run,
        logs: &mut Logs,
    ) -> Result<(World, Self), Vec<Diagnostic>> {
        let mut world = World::new(run, time::after_ms(run.start, -BOOT_MS));
        let mut boot_logs = Logs::default();
        self.create(true, |object| create(&mut world, object, run, &mut boot_logs));
        let n_nodes = crate::log::len_u64(world.store.objects().count(Kind::Node));
        let mut n_left = (n_nodes + 10) * BOOT_EVENTS_PER_NODE;
        while n_left > 0 && world.next_at().is_some_and(|it| it < run.start) {
            world.run_task(run, &mut boot_logs);
            n_left -= 1;
        }
        world.begin(run);
        self.create(false, |object| create(&mut world, object, run, logs));
        if self.is_refused() {
            return Err(self.diagnostics);
        }
        self.notices.extend(self.zone_notice(&run.zones));
        Ok((world, self))
    }

    /// Tries what [`Script::boot`] does on a store without components, for the diagnostics alone.
    ///
    /// # Errors
    /// All diagnostics, if an object is refused.
    pub(crate) fn check(mut self, run: &Run) -> Result<Self, Vec<Diagnostic>> {
        let mut store = run.store();
        store.bootstrap(run.start);
        for nodes in [true, false] {
            self.create(nodes, |object| {
                if import::is_written(&object) {
                    store.import(object, run.start);
                    return (Ok(()), vec![]);
                }
                let result = store.create(object, run.start).map(|_| ());
                (result, store.take_warnings())
            });
        }
        if self.is_refused() { Err(self.diagnostics) } else { Ok(self) }
    }

    fn is_refused(&self) -> bool {
        self.diagnostics.iter().any(|it| it.severity == Severity::Error)
    }

    /// Creates the infrastructure (the preset and the nodes of the text) or the rest.
    fn create(
        &mut self,
        nodes: bool,
        mut create: impl FnMut(Object) -> (Result<(), ApiError>, Vec<String>),
    ) {
        if nodes {
            let own: BTreeSet<ObjectRef> =
                self.documents.iter().filter_map(import::object).map(Object::object_ref).to_set();
            for document in yaml::read(preset_text(self.preset)).documents {
                if let Some(object) = document.object().filter(|it| !own.contains(&it.object_ref()))
                {
                    let (result, _) = create(object.clone());
                    if let Err(error) = result {
                        self.diagnostics.push(about(
                            &document,
                            Severity::Error,
                            "preset",
                            &error.message,
                        ));
                    }
                }
            }
        }
        for document in &self.documents {
            let Some(object) = import::object(document).filter(|it| is_node(it) == nodes) else {
                continue;
            };
            let (result, warnings) = create(object.clone());
            if let Err(error) = result {
                self.diagnostics.extend(refusals(document, &error));
            }
            for warning in warnings {
                self.diagnostics.push(warned(document, &warning));
            }
            self.diagnostics.extend(annotations::unread(document, object));
        }
        self.diagnostics.order_by_key(|it| it.span);
    }

    /// The zones that CronJobs of the text name and the run does not have.
    pub(crate) fn missing_zones(&self, zones: &Zones) -> Vec<String> {
        let mut names = zones_in(&self.documents);
        names.retain(|it| zones.get(it).is_none());
        names
    }

    fn zone_notice(&self, zones: &Zones) -> Option<Notice> {
        let missing = self.missing_zones(zones);
        let message = format!("The data of these time zones is not here: {}.", missing.join(", "));
        let notice = Notice { code: "missing-zone".to_owned(), message, objects: vec![] };
        (!missing.is_empty()).then_some(notice)
    }
}

/// The first configuration of the scheduler, with what is wrong with it at its places.
fn scheduler_configuration(
    documents: &[Document],
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<serde_json::Value> {
    let mut first = None;
    for document in documents {
        let Body::SchedulerConfiguration(value) = &document.body else { continue };
        if first.is_some() {
            let message = "a text has at most one KubeSchedulerConfiguration, with as many \
                           profiles as you like; this one is not used";
            let code = "second-configuration";
            diagnostics.push(about(document, Severity::Warning, code, message));
            continue;
        }
        for error in Scheduler::new(Some(value)).err().unwrap_or_default() {
            let path = error.split(": ").next().filter(|it| !it.contains(' ')).unwrap_or_default();
            let span = document.span_of(path);
            let it = about(document, Severity::Error, "scheduler-configuration", &error);
            diagnostics.push(Diagnostic { path: path.to_owned(), span, ..it });
        }
        first = Some(value.clone());
    }
    first
}

/// The time zones that CronJobs of a text name, each once, in alphabetical order.
#[must_use]
pub fn zones_of(text: &str) -> Vec<String> {
    zones_in(&yaml::read(text).documents)
}

fn zones_in(documents: &[Document]) -> Vec<String> {
    let objects = documents.iter().filter_map(Document::lenient_object);
    let cron_jobs = objects.filter_map(Object::as_kind::<CronJob>);
    let zones = cron_jobs.filter_map(|it| it.spec.time_zone.clone());
    zones.to_set().into_iter().collect()
}

fn create(
    world: &mut World,
    object: Object,
    run: &Run,
    logs: &mut Logs,
) -> (Result<(), ApiError>, Vec<String>) {
    if import::is_written(&object) {
        import::import(world, object, run, logs);
        return (Ok(()), vec![]);
    }
    let action = Action::Create { object, created: None, failed: None };
    let result = world.write(action, Actor::Scenario, run, logs).map(|_| ());
    (result, world.store.take_warnings())
}

fn is_node(object: &Object) -> bool {
    object.kind() == Kind::Node
}

const fn preset_text(preset: Preset) -> &'static str {
    match preset {
        Preset::Minikube => include_str!("presets/minikube.yaml"),
        Preset::Default => include_str!("presets/default.yaml"),
        Preset::ThreeZones => include_str!("presets/three-zones.yaml"),
        Preset::Empty => "",
    }
}

/// What a step applies, as text: YAML stays as it is, objects become JSON documents.
fn manifest(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Array(all) => {
            all.iter().map(manifest).collect::<Vec<_>>().join("\n---\n")
        }
        other => other.to_string(),
    }
}

/// A refusal as diagnostics at the fields that it is about.
fn refusals(document: &Document, error: &ApiError) -> Vec<Diagnostic> {
    let code = error.reason.to_string();
    if error.causes.is_empty() {
        let path = if document.name.is_empty() { "kind" } else { "metadata.name" };
        let span = document.span_of(path);
        return vec![Diagnostic {
            path: path.to_owned(),
            span,
            ..about(document, Severity::Error, &code, &error.message)
        }];
    }
    let cause = |it: &api::FieldCause| Diagnostic {
        path: it.field.clone(),
        span: document.span_of(&it.field),
        ..about(document, Severity::Error, &code, &format!("{}: {}", it.field, it.message))
    };
    error.causes.iter().map(cause).collect()
}

/// A warning of the API server; it begins with the path where it is about a field.
fn warned(document: &Document, warning: &str) -> Diagnostic {
    let path = warning.split(':').next().filter(|it| !it.contains(' ')).unwrap_or_default();
    Diagnostic {
        path: path.to_owned(),
        span: if path.is_empty() { document.span_of("kind") } else { document.span_of(path) },
        ..about(document, Severity::Warning, "server-warning", warning)
    }
}

fn about(document: &Document, severity: Severity, code: &str, message: &str) -> Diagnostic {
    Diagnostic {
        severity,
        code: code.to_owned(),
        path: String::new(),
        span: document.span_of("kind"),
        message: message.to_owned(),
        hint: None,
        replacement: None,
    }
}
