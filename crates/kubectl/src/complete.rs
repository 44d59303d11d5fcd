//! What may stand at the cursor of a command line: commands, kinds, names, namespaces, flags, values.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/util/completion/completion.go`, v1.36, and cobra.
//! Differs from upstream: short names of kinds are understood but not offered; fields are offered
//! after `explain`.

mod places;

use std::collections::BTreeSet;

use api::{Kind, Object};

use crate::args::{Flag, GLOBAL, Takes};
use crate::commands::{flags_of, help, subcommands_of};
use crate::documentation::Documentation;
use crate::{Client, resources};
use places::{Place, place};

/// More candidates than this are of no use to anybody.
const MAX_CANDIDATES: usize = 500;

/// The candidates for the word at the cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completion {
    /// Where the text begins that a candidate replaces, up to the cursor; in bytes.
    pub from: usize,
    /// Sorted. One that ends with `=`, `/` or `.` is not the end of its word.
    pub candidates: Vec<String>,
}

/// Finds what may stand at the cursor, a byte offset of the line. The line may begin with `kubectl`
/// or with the command itself; of several lines the one with the cursor counts.
pub fn complete(line: &str, cursor: usize, client: &dyn Client) -> Completion {
    let mut cursor = cursor.min(line.len());
    while !line.is_char_boundary(cursor) {
        cursor -= 1;
    }
    let before = &line[..cursor];
    let start = before.rfind('\n').map_or(0, |it| it + 1);
    let text = &before[start..];
    let begin = text
        .rfind(char::is_whitespace)
        .map_or(0, |at| at + text[at..].chars().next().map_or(0, char::len_utf8));
    let (head, word) = text.split_at(begin);
    let mut words: Vec<&str> = head.split_whitespace().collect();
    let named = matches!(words.first(), Some(&("kubectl" | "k")));
    if named {
        words.remove(0);
    }
    let mut finder = Finder { client, word, from: start + begin, found: BTreeSet::new() };
    finder.find(&words, named);
    let candidates = finder.found.into_iter().take(MAX_CANDIDATES).collect();
    Completion { from: finder.from, candidates }
}

struct Finder<'a> {
    client: &'a dyn Client,
    /// What stands before the cursor of the word to complete.
    word: &'a str,
    from: usize,
    found: BTreeSet<String>,
}

/// A command line up to the word at the cursor.
#[derive(Debug, Default)]
struct Parsed<'a> {
    command: &'a str,
    subcommand: &'a str,
    positional: Vec<&'a str>,
    namespace: Option<&'a str>,
    all_namespaces: bool,
    /// The flag whose value is at the cursor.
    open: Option<Flag>,
    after_dashes: bool,
}

impl<'a> Parsed<'a> {
    fn new(words: &[&'a str]) -> Self {
        let mut it = Self::default();
        for word in words {
            if let Some(flag) = it.open.take() {
                it.flag_value(flag, word);
            } else if it.after_dashes {
                it.positional.push(word);
            } else if *word == "--" {
                it.after_dashes = true;
            } else if word.len() > 1 && word.starts_with('-') {
                it.flag(word);
            } else if it.command.is_empty() {
                it.command = word;
            } else if it.subcommand.is_empty() && !subcommands_of(it.command).is_empty() {
                it.subcommand = word;
            } else {
                it.positional.push(word);
            }
        }
        it
    }

    fn flag(&mut self, word: &'a str) {
        let (name, value) = word.split_once('=').map_or((word, None), |it| (it.0, Some(it.1)));
        let known = flags_of(self.command, self.subcommand).chain(GLOBAL);
        let mut known = known.copied();
        let found = match name.strip_prefix("--") {
            Some(long) => known.find(|it| it.long == long),
            None => known.find(|it| name[1..].chars().next() == it.short),
        };
        let Some(flag) = found else { return };
        let glued = (!name.starts_with("--") && name.len() > 2).then(|| &name[2..]);
        match value.or(glued.filter(|_| flag.takes == Takes::Value)) {
            Some(value) => self.flag_value(flag, value),
            None if flag.takes == Takes::Value => self.open = Some(flag),
            None => self.all_namespaces |= flag.long == "all-namespaces",
        }
    }

    fn flag_value(&mut self, flag: Flag, value: &'a str) {
        if flag.long == "namespace" {
            self.namespace = Some(value);
        }
    }
}

impl<'a> Finder<'a> {
    fn find(&mut self, words: &[&'a str], named: bool) {
        let parsed = Parsed::new(words);
        if let Some(flag) = parsed.open {
            return self.values(flag.long, &parsed);
        }
        if self.word.starts_with('-') && !parsed.after_dashes {
            return self.flags(&parsed);
        }
        if parsed.command.is_empty() {
            for (_, commands) in help::GROUPS {
                self.offer(commands.iter().map(|it| it.0));
            }
            if !named && words.is_empty() {
                self.offer(["kubectl"]);
            }
            return;
        }
        if parsed.subcommand.is_empty() {
            let names = subcommands_of(parsed.command);
            if !names.is_empty() {
                return self.offer(names);
            }
        }
        match place(parsed.command, parsed.subcommand, parsed.positional.len()) {
            Place::Nothing => {}
            Place::Kinds(kinds) => self.kinds(kinds, &parsed),
            Place::Names(kind) => self.names(kind, "", &parsed),
            Place::Words(words) => self.offer(words.iter().copied()),
            Place::OfKind => {
                let first = parsed.positional.first().copied().unwrap_or_default();
                match resources::kind(first) {
                    // `pod/a b` is `pod/a pod/b`.
                    Err(_) if first.contains('/') => self.kinds(&[], &parsed),
                    Ok(kind) => self.names(kind, "", &parsed),
                    Err(_) => {}
                }
            }
            Place::Fields => self.fields(),
            Place::Commands => {
                for (_, commands) in help::GROUPS {
                    self.offer(commands.iter().map(|it| it.0));
                }
            }
        }
    }

    /// Takes those that begin as the word does.
    fn offer<S: AsRef<str>>(&mut self, candidates: impl IntoIterator<Item = S>) {
        let word = self.word;
        let fitting = candidates.into_iter().filter(|it| it.as_ref().starts_with(word));
        self.found.extend(fitting.map(|it| it.as_ref().to_owned()));
    }

    fn flags(&mut self, parsed: &Parsed<'_>) {
        if let Some((name, _)) = self.word.split_once('=') {
            let long = name.trim_start_matches('-').to_owned();
            self.skip(name.len() + 1);
            return self.values(&long, parsed);
        }
        for flag in flags_of(parsed.command, parsed.subcommand).chain(GLOBAL) {
            let end = if flag.takes == Takes::Value { "=" } else { "" };
            self.offer([format!("--{}{end}", flag.long)]);
        }
    }

    /// Completes what stands behind so many bytes of the word.
    fn skip(&mut self, n: usize) {
        self.from += n;
        self.word = &self.word[n..];
    }

    fn values(&mut self, flag: &str, parsed: &Parsed<'_>) {
        match flag {
            "namespace" => {
                let all = self.client.objects().list(Kind::Namespace);
                let names: Vec<String> = all.map(|it| it.name().to_owned()).collect();
                self.offer(names);
            }
            "filename" => self.offer(self.client.files()),
            "container" => {
                let pod = parsed.positional.first().copied().unwrap_or_default();
                let pod = pod.rsplit('/').next().unwrap_or_default();
                let namespace = parsed.namespace.unwrap_or(self.client.namespace());
                let key = api::ObjectRef::new(Kind::Pod, namespace, pod);
                if let Some(Object::Pod(pod)) = self.client.objects().get(&key) {
                    let containers = pod.spec.iter().flat_map(|it| &it.containers);
                    self.offer(containers.map(|it| it.name.as_str()));
                }
            }
            "from" => {
                self.skip_to("cronjob/");
                if self.found.is_empty() {
                    self.names(Kind::CronJob, "", parsed);
                }
            }
            other => self.offer(places::values_of(other).split_ascii_whitespace()),
        }
    }

    /// Goes behind a prefix that the word has, or offers it.
    fn skip_to(&mut self, prefix: &str) {
        match self.word.starts_with(prefix) {
            true => self.skip(prefix.len()),
            false => self.offer([prefix]),
        }
    }

    /// Kinds, or names after `KIND/`. Behind a comma the next kind begins.
    fn kinds(&mut self, only: &[Kind], parsed: &Parsed<'_>) {
        if let Some((kind, _)) = self.word.split_once('/') {
            if let Ok(found) = resources::kind(kind) {
                self.skip(kind.len() + 1);
                self.names(found, "", parsed);
            }
            return;
        }
        if let Some(at) = self.word.rfind(',') {
            self.skip(at + 1);
        }
        if only.is_empty() {
            let all = Kind::ALL.iter().filter(|it| **it != Kind::Binding);
            self.offer(all.map(|it| it.plural()));
            self.offer(["all"]);
        } else {
            self.offer(only.iter().map(|it| it.plural()));
        }
    }

    /// Names of objects that are not on the line yet.
    fn names(&mut self, kind: Kind, end: &str, parsed: &Parsed<'_>) {
        let namespace = parsed.namespace.unwrap_or(self.client.namespace());
        let everywhere = !kind.namespaced() || parsed.all_namespaces;
        let all = self.client.objects().list(kind).filter(|it| {
            (everywhere || it.namespace() == namespace)
                && it.name().starts_with(self.word)
                && !parsed.positional.contains(&it.name())
        });
        let names = all.map(|it| format!("{}{end}", it.name())).take(MAX_CANDIDATES);
        self.found.extend(names);
    }

    /// `pod.spec.con`: kinds, then the fields of the documentation.
    fn fields(&mut self) {
        let Some((path, _)) = self.word.rsplit_once('.') else {
            let all = Kind::ALL.iter().filter(|it| **it != Kind::Binding);
            return self.offer(all.map(|it| it.plural()));
        };
        let Some(documentation) = self.client.documentation() else { return };
        let documentation = Documentation(documentation);
        let mut parts = path.split('.');
        let Ok(kind) = resources::kind(parts.next().unwrap_or_default()) else { return };
        let mut shape = kind.name();
        for part in parts {
            let name = shape.rsplit(']').next().unwrap_or_default();
            let field = documentation.fields(name).find(|it| it.name == part);
            let Some(field) = field else { return };
            shape = field.shape;
        }
        self.skip(path.len() + 1);
        let name = shape.rsplit(']').next().unwrap_or_default();
        self.offer(documentation.fields(name).map(|it| it.name));
    }
}

#[cfg(test)]
mod tests;
