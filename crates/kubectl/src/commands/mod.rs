//! The commands, one module each, and what they share.

mod apply;
mod autoscale;
mod create;
mod delete;
mod describe;
mod diff;
pub(crate) mod discovery;
mod drain;
mod edit;
mod explain;
mod files;
mod generate;
mod get;
pub(crate) mod help;
mod label;
mod logs;
mod misc;
mod patch;
mod raw;
mod rollout;
mod scale;
mod set;
mod subresource;
mod taint;
mod wait;

use api::{Action, Kind, Object, Timestamp};

use crate::args::{self, Args, Flag};
use crate::failure::Failure;
use crate::output_format::{self, Format, PrintOptions};
use crate::resources::{self, Asked, Query};
use crate::{Client, DryRun, Outcome, Output, Pending, shell};

/// What a command waits for.
#[derive(Clone, Debug)]
pub(crate) enum Waiting {
    Drain(drain::Draining),
    Get(get::Watching),
    Rollout(rollout::Watching),
    Wait(wait::Awaiting),
}

/// What of a command must be kept while it waits.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    args: Args,
    command: String,
    namespace: String,
}

/// A command that is being carried out.
pub(crate) struct Session<'a> {
    pub(crate) client: &'a mut dyn Client,
    pub(crate) output: Output,
    pub(crate) args: Args,
    /// `kubectl get`, `kubectl create deployment`: for the words of mistakes.
    pub(crate) command: String,
    pub(crate) namespace: String,
    /// The exit code of a failure.
    pub(crate) failure_code: i32,
    /// What the server has warned of so far.
    warned: Vec<String>,
}

/// How a command goes on.
pub(crate) enum Next {
    Done,
    Wait { deadline: Option<Timestamp>, waiting: Waiting },
}

type Run = fn(&mut Session<'_>) -> Result<Next, Failure>;

/// A command: its name, its flags and what carries it out.
struct Command {
    name: &'static str,
    flags: &'static [&'static [Flag]],
    run: Run,
}

const fn command(name: &'static str, flags: &'static [&'static [Flag]], run: Run) -> Command {
    Command { name, flags, run }
}

/// In the order in which kubectl knows them, which is the order of suggestions.
const COMMANDS: &[Command] = &[
    command("create", &[create::FLAGS, create::SELECT], create::run),
    command("expose", &[generate::EXPOSE_FLAGS], generate::expose),
    command("run", &[generate::RUN_FLAGS], generate::run),
    command("set", &[set::FLAGS], set::run),
    command("explain", &[explain::FLAGS], explain::run),
    command("get", &[get::FLAGS], get::run),
    command("edit", &[create::FLAGS, edit::FLAGS], edit::run),
    command("delete", &[delete::FLAGS], delete::run),
    command("rollout", &[rollout::FLAGS], rollout::run),
    command("scale", &[scale::FLAGS], scale::run),
    command("autoscale", &[autoscale::FLAGS], autoscale::run),
    command("top", &[misc::ANY_FLAGS], misc::top),
    command("cordon", &[drain::CORDON_FLAGS], drain::cordon),
    command("uncordon", &[drain::CORDON_FLAGS], drain::uncordon),
    command("drain", &[drain::CORDON_FLAGS, drain::FLAGS], drain::drain),
    command("taint", &[taint::FLAGS], taint::run),
    command("describe", &[describe::FLAGS], describe::run),
    command("logs", &[logs::FLAGS], logs::run),
    command("auth", &[discovery::AUTH_FLAGS], discovery::auth),
    command("cluster-info", &[], discovery::cluster_info),
    command("config", &[discovery::CONFIG_FLAGS], discovery::config),
    command("attach", &[misc::ANY_FLAGS], misc::out_of_reach),
    command("exec", &[misc::ANY_FLAGS], misc::out_of_reach),
    command("port-forward", &[misc::ANY_FLAGS], misc::out_of_reach),
    command("cp", &[misc::ANY_FLAGS], misc::out_of_reach),
    command("events", &[misc::EVENTS_FLAGS], misc::events),
    command("diff", &[create::FLAGS, create::SELECT, diff::FLAGS], diff::run),
    command("apply", &[create::FLAGS, create::SELECT, apply::FLAGS], apply::run),
    command("patch", &[patch::FLAGS], patch::run),
    command("replace", &[create::FLAGS, create::REPLACE_FLAGS], create::replace),
    command("wait", &[wait::FLAGS], wait::run),
    command("label", &[label::FLAGS], label::label),
    command("annotate", &[label::FLAGS], label::annotate),
    command("version", &[discovery::VERSION_FLAGS], discovery::version),
    command("api-versions", &[], discovery::api_versions),
    command("api-resources", &[discovery::API_FLAGS], discovery::api_resources),
    command("options", &[], help::options),
];

/// The flags of a command; of `create` those of the object that is created.
pub(crate) fn flags_of(name: &str, sub: &str) -> impl Iterator<Item = &'static Flag> + use<> {
    let command = COMMANDS.iter().find(|it| it.name == name);
    let own = command.map_or(&[][..], |it| it.flags);
    let more = (name == "create").then(|| generate::flags_of(sub));
    own.iter().copied().flatten().chain(more.into_iter().flatten())
}

/// The words that stand between a command and its arguments.
pub(crate) fn subcommands_of(name: &str) -> Vec<&'static str> {
    match name {
        "create" => generate::subcommands().collect(),
        _ => help::subcommands(name).iter().map(|it| it.0).collect(),
    }
}

/// Commands of kubectl that have nothing to work on here, and why.
const OUT_OF_REACH: &[(&str, &str)] = &[
    ("alpha", "nothing of it is simulated"),
    ("certificate", "nobody asks for certificates"),
    ("completion", "Tab completes in the console without it"),
    ("debug", "containers do not really run"),
    ("kuberc", "there are no preferences"),
    ("kustomize", "there are no directories"),
    ("plugin", "nothing else can be run"),
    ("proxy", "no server listens anywhere"),
];

/// No command is longer.
const MAX_COMMAND: usize = 64;

/// The sentence for a command that there is none of, with those it may have meant.
fn unknown_command(name: &str) -> Failure {
    let mut text = format!("error: unknown command {} for \"kubectl\"\n", api::fields::quote(name));
    let lower = name.to_lowercase();
    // Nobody means a command by a very long word, and comparing takes its length.
    let is_short = lower.len() <= MAX_COMMAND;
    let near = COMMANDS
        .iter()
        .filter(|_| is_short)
        .filter(|it| api::fields::distance(&lower, it.name) <= 2 || it.name.starts_with(&lower));
    let near: Vec<String> = near.map(|it| format!("\t{}\n", it.name)).collect();
    if !near.is_empty() {
        text.push_str(&format!("\nDid you mean this?\n{}", near.concat()));
    }
    Failure::Raw(text)
}

/// Runs a command line given as one text, with or without the word `kubectl`.
pub fn run_line(line: &str, client: &mut dyn Client) -> Outcome {
    match shell::split(line) {
        Ok(words) => run(&words, client),
        Err(shell::UnclosedQuote) => {
            let mut output = Output::default();
            output.err("error: a quote is not closed\n");
            output.exit_code = 1;
            Outcome::Done(output)
        }
    }
}

/// Runs a command given as words, with or without the word `kubectl` in front.
pub fn run(words: &[String], client: &mut dyn Client) -> Outcome {
    let words = match words.first().map(String::as_str) {
        Some("kubectl" | "k") => &words[1..],
        _ => words,
    };
    let namespace = client.namespace().to_owned();
    let mut session = Session {
        client,
        output: Output::default(),
        args: Args::default(),
        command: "kubectl".to_owned(),
        namespace,
        failure_code: 1,
        warned: vec![],
    };
    let result = session.dispatch(words);
    session.finish(result)
}

pub(crate) fn poll(pending: Pending, client: &mut dyn Client) -> Outcome {
    let Pending { output, waiting, kept, .. } = pending;
    let Kept { args, command, namespace } = kept;
    let mut session =
        Session { client, output, args, command, namespace, failure_code: 1, warned: vec![] };
    let result = match waiting {
        Waiting::Drain(state) => drain::go_on(&mut session, state),
        Waiting::Get(state) => get::go_on(&mut session, state),
        Waiting::Rollout(state) => rollout::go_on(&mut session, state),
        Waiting::Wait(state) => wait::go_on(&mut session, state),
    };
    session.finish(result)
}

impl Session<'_> {
    fn dispatch(&mut self, words: &[String]) -> Result<Next, Failure> {
        let (flags, words) = words.split_at(args::n_leading_flags(words));
        let name = words.first().map(String::as_str).unwrap_or_default();
        if matches!(name, "" | "help" | "--help" | "-h") {
            self.parse(flags, &[])?;
            return Ok(help::help(self, words.get(1..).unwrap_or_default()));
        }
        let Some(command) = COMMANDS.iter().find(|it| it.name == name) else {
            if name == "plugin" && words.get(1).is_some_and(|it| it == "list") {
                return Err(Failure::text("unable to find any kubectl plugins in your PATH"));
            }
            if let Some((_, why)) = OUT_OF_REACH.iter().find(|it| it.0 == name) {
                return Err(Failure::Text(format!(
                    "\"kubectl {name}\" is not possible in the simulation: {why}"
                )));
            }
            return Err(unknown_command(name));
        };
        self.command = format!("kubectl {name}");
        if words.iter().take_while(|it| *it != "--").any(|it| it == "--help" || it == "-h") {
            return Ok(help::help(self, &words[..1]));
        }
        if name == "create" {
            self.parse(flags, &[])?;
            if let Some(result) = generate::create(self, &words[1..]) {
                return result;
            }
        }
        let words = [flags, &words[1..]].concat();
        self.parse(&words, command.flags)?;
        self.checked()?;
        (command.run)(self)
    }

    /// Refuses flags that do not go together, where all commands refuse them alike.
    fn checked(&self) -> Result<(), Failure> {
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

    /// Takes the flags of a command apart.
    fn parse(&mut self, words: &[String], flags: &[&[Flag]]) -> Result<(), Failure> {
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

    fn finish(mut self, result: Result<Next, Failure>) -> Outcome {
        self.warnings();
        match result {
            Ok(Next::Done) => Outcome::Done(self.output),
            Ok(Next::Wait { deadline, waiting }) => {
                let kept =
                    Kept { args: self.args, command: self.command, namespace: self.namespace };
                Outcome::Pending(Pending { output: self.output, deadline, waiting, kept })
            }
            Err(failure) => {
                let text = failure.print(&self.command);
                self.output.err(text);
                self.output.exit_code = self.failure_code;
                Outcome::Done(self.output)
            }
        }
    }

    /// Prints what the server warned of since the last request.
    fn warnings(&mut self) {
        for warning in self.client.take_warnings() {
            // The same is said once, however many objects it is said of.
            if !self.warned.contains(&warning) {
                self.output.err(format!("Warning: {warning}\n"));
                self.warned.push(warning);
            }
        }
    }

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
        match result? {
            Some(object)
                if self.args.is_on("record") && !matches!(action, Action::Delete { .. }) =>
            {
                Ok(Some(self.record(object, dry_run)))
            }
            result => Ok(result),
        }
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
    fn dry_run_note(&self) -> Result<&'static str, Failure> {
        Ok(match self.dry_run()? {
            None => "",
            Some(DryRun::None) => " (dry run)",
            Some(DryRun::Server) => " (server dry run)",
        })
    }

    pub(crate) fn output_options(&self) -> PrintOptions {
        PrintOptions {
            no_headers: self.args.is_on("no-headers"),
            managed_fields: self.args.is_on("show-managed-fields"),
            as_written: false,
        }
    }

    /// Prints what was done to an object, or the object in the form of `-o`.
    pub(crate) fn print(&mut self, object: &Object, done: &str) -> Result<(), Failure> {
        let done = format!("{done}{}", self.dry_run_note()?);
        self.print_done(object, &done)
    }

    /// As [`Self::print`], without a word about a dry run: `patch` forgets it.
    pub(crate) fn print_done(&mut self, object: &Object, done: &str) -> Result<(), Failure> {
        let format = Format::parse(self.args.get("output"), self.args.get("template"))?;
        let text = match format {
            Format::Table { .. } => {
                let name = display_name(object.kind(), object.name());
                format!("{name} {done}\n")
            }
            other => {
                let objects = std::slice::from_ref(object);
                // What was read of a file and seen by no server is shown as it was read, unless
                // the command knows its type.
                let knows_type = ["set", "expose", "autoscale"]
                    .contains(&self.command.split(' ').nth(1).unwrap_or_default());
                let mut options = self.output_options();
                options.as_written =
                    object.meta().uid.is_none() && self.args.has("filename") && !knows_type;
                output_format::print(&other, objects, true, &options)?
            }
        };
        self.output.out(text);
        Ok(())
    }

    /// `pod "web" deleted from default namespace`.
    pub(crate) fn print_deleted(&mut self, object: &Object, forced: bool) -> Result<(), Failure> {
        let kind = object.kind();
        if self.args.get("output") == Some("name") {
            self.output.out(format!("{}\n", display_name(kind, object.name())));
            return Ok(());
        }
        let resource = match kind.group() {
            "" => kind.name().to_lowercase(),
            group => format!("{}.{group}", kind.name().to_lowercase()),
        };
        let place = match kind.namespaced() {
            true => format!(" from {} namespace", object.namespace()),
            false => String::new(),
        };
        let done = if forced { "force deleted" } else { "deleted" };
        let note = self.dry_run_note()?;
        self.output.out(format!("{resource} \"{}\" {done}{place}{note}\n", object.name()));
        Ok(())
    }

    pub(crate) fn query(&self, lists: bool) -> Query<'_> {
        Query {
            namespace: &self.namespace,
            all_namespaces: self.args.is_on("all-namespaces"),
            selector: self.args.get("selector"),
            field_selector: self.args.get("field-selector"),
            all: self.args.is_on("all"),
            lists,
        }
    }

    /// The objects that the words or the files name; with `--local` those of the files, which
    /// no server need have.
    pub(crate) fn named(
        &mut self,
        words: &[String],
    ) -> Result<(Vec<Object>, Vec<Failure>, bool), Failure> {
        if self.args.is_on("local") {
            let objects = files::local(self)?;
            let is_one = objects.len() == 1;
            return Ok((objects, vec![], is_one));
        }
        let asked = match self.args.has("filename") {
            true => files::named(self, words)?,
            false => {
                let mut query = self.query(false);
                // `--all` is for a kind without names.
                query.all &= words.len() == 1 && !words[0].contains('/');
                resources::resolve(words, &query)?
            }
        };
        let (objects, failures) = self.find(&asked, false)?;
        let is_one = matches!(&asked, Asked::Names(names) if names.len() == 1);
        Ok((objects, failures, is_one))
    }

    pub(crate) fn find(
        &self,
        asked: &Asked,
        lists: bool,
    ) -> Result<(Vec<Object>, Vec<Failure>), Failure> {
        let (found, failures) = resources::find(self.client.objects(), asked, &self.query(lists))?;
        Ok((found.into_iter().map(|it| it.object.clone()).collect(), failures))
    }
}

/// `pod/web-1`, `deployment.apps/shop`.
pub(crate) fn display_name(kind: Kind, name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 24);
    put_kind(&mut text, kind);
    text.push_str(name);
    text
}

/// `pod/`, `deployment.apps/`.
pub(crate) fn put_kind(text: &mut String, kind: Kind) {
    text.extend(kind.name().chars().map(|it| it.to_ascii_lowercase()));
    if !kind.group().is_empty() {
        text.push('.');
        text.push_str(kind.group());
    }
    text.push('/');
}
