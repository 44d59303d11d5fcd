//! Flags and arguments of a command line. Upstream: `github.com/spf13/pflag` and cobra's words.

use std::collections::BTreeMap;

/// A flag of a command.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flag {
    pub(crate) long: &'static str,
    pub(crate) short: Option<char>,
    pub(crate) takes: Takes,
}

/// What follows a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    /// Nothing; `--flag=false` is allowed.
    Nothing,
    /// A value.
    Value,
    /// A value after `=`, or this one.
    Optional(&'static str),
}

/// A flag without a value.
pub(crate) const fn switch(long: &'static str) -> Flag {
    Flag { long, short: None, takes: Takes::Nothing }
}

/// A flag with a value.
pub(crate) const fn value(long: &'static str) -> Flag {
    Flag { long, short: None, takes: Takes::Value }
}

impl Flag {
    /// With a letter.
    pub(crate) const fn or(self, short: char) -> Self {
        Self { short: Some(short), ..self }
    }

    /// With a value that may be left out.
    pub(crate) const fn optional(self, default: &'static str) -> Self {
        Self { takes: Takes::Optional(default), ..self }
    }
}

/// The flags that every command has.
pub(crate) const GLOBAL: &[Flag] = &[
    value("namespace").or('n'),
    value("context"),
    value("cluster"),
    value("user"),
    value("kubeconfig"),
    value("server").or('s'),
    value("request-timeout"),
    value("token"),
    value("as"),
    value("as-group"),
    value("as-uid"),
    value("cache-dir"),
    value("certificate-authority"),
    value("client-certificate"),
    value("client-key"),
    value("tls-server-name"),
    value("profile"),
    value("profile-output"),
    value("v").or('v'),
    switch("insecure-skip-tls-verify"),
    switch("match-server-version"),
    switch("warnings-as-errors"),
    switch("disable-compression"),
    switch("help").or('h'),
];

/// How many words stand before the command: flags that every command has, with their values.
/// Upstream: cobra's `stripFlags`.
pub(crate) fn n_leading_flags(words: &[String]) -> usize {
    let mut n = 0;
    while let Some(word) = words.get(n).filter(|it| it.len() > 1 && it.starts_with('-')) {
        let flag = match word.strip_prefix("--") {
            Some(long) => GLOBAL.iter().find(|it| it.long == long),
            None => GLOBAL.iter().find(|it| word[1..].chars().eq(it.short)),
        };
        n += if flag.is_some_and(|it| it.takes == Takes::Value) { 2 } else { 1 };
    }
    n.min(words.len())
}

/// A parsed command line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Args {
    /// What is no flag, in order.
    pub(crate) positional: Vec<String>,
    /// How many of them stand before `--`.
    pub(crate) n_before_dash: Option<usize>,
    values: BTreeMap<&'static str, Vec<String>>,
    /// Flags and their values in the order in which they were given.
    pub(crate) given: Vec<(&'static str, String)>,
}

impl Args {
    /// Takes a command line apart. The error is pflag's sentence.
    pub(crate) fn parse(words: &[String], flags: &[&[Flag]]) -> Result<Self, String> {
        let mut args = Self::default();
        let all = || flags.iter().copied().flatten().chain(GLOBAL);
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if word == "--" {
                args.n_before_dash = Some(args.positional.len());
                args.positional.extend(words.by_ref().cloned());
            } else if let Some(rest) = word.strip_prefix("--") {
                let (name, given) = match rest.split_once('=') {
                    Some((name, value)) => (name, Some(value)),
                    None => (rest, None),
                };
                if name.is_empty() || name.starts_with('-') {
                    return Err(format!("bad flag syntax: {word}"));
                }
                let flag = all().find(|it| it.long == name);
                let flag = *flag.ok_or_else(|| format!("unknown flag: --{name}"))?;
                let value = match (flag.takes, given) {
                    (_, Some(value)) => value.to_owned(),
                    (Takes::Nothing, None) => "true".to_owned(),
                    (Takes::Optional(default), None) => default.to_owned(),
                    (Takes::Value, None) => match words.next() {
                        Some(value) => value.clone(),
                        None => return Err(format!("flag needs an argument: --{name}")),
                    },
                };
                args.set(flag, value)?;
            } else if word.len() > 1 && word.starts_with('-') {
                args.shorthands(&word[1..], &mut words, &all)?;
            } else {
                args.positional.push(word.clone());
            }
        }
        Ok(args)
    }

    /// Letters after one dash: `-w`, `-owide`, `-o=wide`, `-o wide`.
    fn shorthands<'f, I: Iterator<Item = &'f Flag>>(
        &mut self,
        letters: &str,
        words: &mut std::slice::Iter<'_, String>,
        all: &impl Fn() -> I,
    ) -> Result<(), String> {
        let mut rest = letters;
        while let Some(letter) = rest.chars().next() {
            let flag = all().find(|it| it.short == Some(letter));
            let Some(flag) = flag.copied() else {
                return Err(format!("unknown shorthand flag: {letter:?} in -{letters}"));
            };
            rest = &rest[letter.len_utf8()..];
            if let Some(value) = rest.strip_prefix('=') {
                return self.set(flag, value.to_owned());
            }
            match flag.takes {
                Takes::Nothing => self.set(flag, "true".to_owned())?,
                Takes::Optional(default) => self.set(flag, default.to_owned())?,
                Takes::Value if !rest.is_empty() => return self.set(flag, rest.to_owned()),
                Takes::Value => match words.next() {
                    Some(value) => return self.set(flag, value.clone()),
                    None => {
                        return Err(format!("flag needs an argument: {letter:?} in -{letters}"));
                    }
                },
            }
        }
        Ok(())
    }

    fn set(&mut self, flag: Flag, value: String) -> Result<(), String> {
        if flag.takes == Takes::Nothing && parse_bool(&value).is_none() {
            let name = match flag.short {
                Some(short) => format!("-{short}, --{}", flag.long),
                None => format!("--{}", flag.long),
            };
            return Err(format!(
                "invalid argument {value:?} for {name:?} flag: strconv.ParseBool: parsing {value:?}: \
                 invalid syntax"
            ));
        }
        self.given.push((flag.long, value.clone()));
        self.values.entry(flag.long).or_default().push(value);
        self.number(flag.long).map_err(|why| match flag.short {
            Some(short) => {
                let long = flag.long;
                why.replace(&format!("\"--{long}\""), &format!("\"-{short}, --{long}\""))
            }
            None => why,
        })
    }

    /// Whether the value of a flag is of its type, for flags that are numbers wherever they are known.
    fn number(&self, flag: &str) -> Result<(), String> {
        const NUMBERS: &[&str] = &[
            "chunk-size",
            "current-replicas",
            "grace-period",
            "limit-bytes",
            "max",
            "max-log-requests",
            "min",
            "replicas",
            "revision",
            "skip-wait-for-delete-timeout",
            "tail",
            "to-revision",
        ];
        match flag {
            "timeout" | "since" | "pod-running-timeout" => self.duration(flag).map(|_| ()),
            _ if NUMBERS.contains(&flag) => self.int(flag).map(|_| ()),
            _ => Ok(()),
        }
    }

    /// Puts another value for those of a flag.
    pub(crate) fn replace(&mut self, flag: &'static str, value: &str) {
        self.values.insert(flag, vec![value.to_owned()]);
    }

    /// The value of a flag; of several, the last.
    pub(crate) fn get(&self, flag: &str) -> Option<&str> {
        self.values.get(flag).and_then(|it| it.last()).map(String::as_str)
    }

    /// All values of a flag.
    pub(crate) fn all(&self, flag: &str) -> &[String] {
        self.values.get(flag).map_or(&[], Vec::as_slice)
    }

    /// All values of a flag, each split at commas.
    pub(crate) fn list(&self, flag: &str) -> Vec<String> {
        let all = self.all(flag).iter().flat_map(|it| it.split(','));
        all.filter(|it| !it.is_empty()).map(str::to_owned).collect()
    }

    /// Whether a flag was given at all.
    pub(crate) fn has(&self, flag: &str) -> bool {
        self.values.contains_key(flag)
    }

    /// Whether a switch is on.
    pub(crate) fn is_on(&self, flag: &str) -> bool {
        self.get(flag).and_then(parse_bool).unwrap_or(false)
    }

    /// Whether a switch was given as `--flag=false`.
    pub(crate) fn is_off(&self, flag: &str) -> bool {
        self.get(flag).and_then(parse_bool) == Some(false)
    }

    /// A whole number. The error is pflag's sentence.
    pub(crate) fn int(&self, flag: &str) -> Result<Option<i64>, String> {
        let Some(text) = self.get(flag) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| {
            format!(
                "invalid argument {text:?} for \"--{flag}\" flag: strconv.ParseInt: parsing {text:?}: \
                 invalid syntax"
            )
        })
    }

    /// A duration. The error is pflag's sentence.
    pub(crate) fn duration(&self, flag: &str) -> Result<Option<api::duration::Duration>, String> {
        let Some(text) = self.get(flag) else { return Ok(None) };
        api::duration::parse(text)
            .map(Some)
            .map_err(|it| format!("invalid argument {text:?} for \"--{flag}\" flag: {it}"))
    }
}

/// Upstream: Go's `strconv.ParseBool`.
pub(crate) fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAGS: &[Flag] = &[value("output").or('o'), switch("watch").or('w')];

    fn parse(line: &str) -> Result<Args, String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        Args::parse(&words, &[FLAGS])
    }

    #[test]
    fn flags_stand_anywhere() {
        let args = parse("pods -owide --watch a -n x -- -b").unwrap();
        assert_eq!(args.positional, ["pods", "a", "-b"]);
        assert_eq!((args.get("output"), args.get("namespace")), (Some("wide"), Some("x")));
        assert_eq!((args.is_on("watch"), args.n_before_dash), (true, Some(2)));
    }

    #[test]
    fn mistakes_are_told_in_the_words_of_pflag() {
        let check = |line: &str, message: &str| assert_eq!(parse(line).unwrap_err(), message);
        check("--foo", "unknown flag: --foo");
        check("-x", "unknown shorthand flag: 'x' in -x");
        check("-o", "flag needs an argument: 'o' in -o");
        check("--output", "flag needs an argument: --output");
        check(
            "-w=maybe",
            "invalid argument \"maybe\" for \"-w, --watch\" flag: strconv.ParseBool: parsing \
             \"maybe\": invalid syntax",
        );
    }

    #[test]
    fn flags_may_stand_before_the_command() {
        for (line, n) in [
            ("get pods -n a", 0),
            ("-n a get pods", 2),
            ("--namespace a get pods", 2),
            ("--namespace=a get pods", 1),
            ("--help get", 1),
            ("-n", 1),
            ("", 0),
        ] {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            assert_eq!(n_leading_flags(&words), n, "{line}");
        }
    }
}
