//! The commands, one module each, and what they share.

mod apply;
mod autoscale;
mod context;
mod create;
mod delete;
mod describe;
mod diff;
pub(crate) mod discovery;
mod drain;
mod edit;
mod explain;
mod files;
mod flags;
mod generate;
mod get;
pub(crate) mod help;
mod label;
mod logs;
mod misc;
mod patch;
mod printing;
mod raw;
mod rollout;
mod scale;
mod set;
mod subresource;
mod taint;
mod wait;
mod writing;

use api::{ApiError, Kind, Object, ObjectRef, Timestamp};

use crate::args::{self, Args, Flag};
use crate::failure::Failure;
use crate::resources::{self, Asked, Query};
use crate::{Client, Outcome, Output, Pending, shell};

pub(crate) use printing::{display_name, put_kind};

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
    /// How many objects were printed as YAML.
    n_yaml: usize,
    /// What `apply` prints in the end, as one object or as a list.
    kept: Option<Vec<serde_json::Value>>,
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
    command("auth", &[context::AUTH_FLAGS], context::auth),
    command("cluster-info", &[], context::cluster_info),
    command("config", &[context::CONFIG_FLAGS], context::config),
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
    command("version", &[context::VERSION_FLAGS], context::version),
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
        n_yaml: 0,
        kept: None,
    };
    let result = session.dispatch(words);
    session.finish(result)
}

pub(crate) fn poll(pending: Pending, client: &mut dyn Client) -> Outcome {
    let Pending { output, waiting, kept, .. } = pending;
    let Kept { args, command, namespace } = kept;
    let mut session = Session {
        client,
        output,
        args,
        command,
        namespace,
        failure_code: 1,
        warned: vec![],
        n_yaml: 0,
        kept: None,
    };
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
        self.parse(&words, command.flags).inspect_err(|_| {
            // The help that a mistake points to is that of the subcommand.
            let subcommands = help::subcommands(name);
            let named = words.iter().find(|it| !it.starts_with('-'));
            if let Some(it) = named.filter(|it| subcommands.iter().any(|other| other.0 == **it)) {
                self.command = format!("kubectl {name} {it}");
            }
        })?;
        self.checked()?;
        (command.run)(self)
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
                if let Failure::After(printed, _) = &failure {
                    self.output.out(printed.clone());
                }
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
        let objects = self.client.objects();
        let (found, mut failures) = resources::find(objects, asked, &self.query(lists))?;
        self.say_namespace(&mut failures);
        Ok((found.into_iter().map(|it| it.object.clone()).collect(), failures))
    }

    /// Whoever finds nothing looks whether there is the namespace, but for `delete`, which does not
    /// look first. Upstream: `Info.Get`.
    pub(crate) fn say_namespace(&self, failures: &mut [Failure]) {
        let namespace = ObjectRef::new(Kind::Namespace, "", &self.namespace);
        let is_there = self.client.objects().get(&namespace).is_some();
        if is_there || self.namespace == "default" || self.command == "kubectl delete" {
            return;
        }
        let is_inside = |it: &Failure| match it {
            Failure::Api(_, error) => error.kind.is_some_and(Kind::namespaced),
            _ => false,
        };
        for it in failures.iter_mut().filter(|it| it.is_not_found() && is_inside(it)) {
            *it = ApiError::not_found(&namespace).into();
        }
    }
}
