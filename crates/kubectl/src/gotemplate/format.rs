//! Values as texts.
//!
//! Upstream: Go's `fmt/print.go` and `fmt/format.go`.
//! Differs from upstream: no hexadecimal floating point.

use super::value::{Form, Item, form};

/// No text is made wider.
const MAX_WIDTH: usize = 1_000_000;

/// As `%v`.
pub(super) fn plain(item: &Item<'_>) -> String {
    let mut out = String::new();
    put(&mut out, item.form(), item.type_name(), &Verb { letter: 'v', ..Verb::default() });
    out
}

/// As `fmt.Sprint`: blanks stand between what are no texts.
pub(super) fn print(items: &[Item<'_>]) -> String {
    let mut out = String::new();
    let mut was_text = true;
    for item in items {
        let is_text = matches!(item.form(), Form::Text(_));
        if !was_text && !is_text {
            out.push(' ');
        }
        was_text = is_text;
        out.push_str(&plain(item));
    }
    out
}

/// As `fmt.Sprintln`.
pub(super) fn print_line(items: &[Item<'_>]) -> String {
    let all: Vec<String> = items.iter().map(plain).collect();
    format!("{}\n", all.join(" "))
}

#[derive(Clone, Debug, Default)]
struct Verb {
    letter: char,
    minus: bool,
    plus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

/// As `fmt.Sprintf`.
pub(super) fn printf(format: &str, items: &[Item<'_>]) -> String {
    let mut out = String::new();
    let mut rest = format;
    let mut state = Arguments { items, next: 0, reordered: false, good: true };
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        verb(&mut out, &mut rest, &mut state);
    }
    out.push_str(rest);
    if !state.reordered && state.next < items.len() {
        let more: Vec<String> = items[state.next..]
            .iter()
            .map(|it| match it.form() {
                Form::Nothing => "<nil>".to_owned(),
                _ => format!("{}={}", it.type_name(), plain(it)),
            })
            .collect();
        out.push_str(&format!("%!(EXTRA {})", more.join(", ")));
    }
    out
}

struct Arguments<'a, 'b> {
    items: &'a [Item<'b>],
    next: usize,
    reordered: bool,
    good: bool,
}

impl Arguments<'_, '_> {
    /// `[n]`: the argument that comes next.
    fn index(&mut self, rest: &mut &str) {
        let Some(inner) = rest.strip_prefix('[') else { return };
        self.reordered = true;
        let Some((number, after)) = inner.split_once(']') else {
            self.good = false;
            *rest = inner;
            return;
        };
        *rest = after;
        match number.parse::<usize>().ok().and_then(|it| it.checked_sub(1)) {
            Some(n) if n < self.items.len() => self.next = n,
            _ => self.good = false,
        }
    }

    /// The number that stands for `*`.
    fn star(&mut self) -> Option<i64> {
        let item = self.items.get(self.next)?;
        self.next += 1;
        match item {
            Item::Int(it) => Some(*it),
            _ => None,
        }
    }
}

fn digits(rest: &mut &str) -> Option<usize> {
    let length = rest.find(|it: char| !it.is_ascii_digit()).unwrap_or(rest.len());
    let (number, after) = rest.split_at(length);
    *rest = after;
    (!number.is_empty()).then(|| number.parse().unwrap_or(MAX_WIDTH).min(MAX_WIDTH))
}

fn verb(out: &mut String, rest: &mut &str, state: &mut Arguments<'_, '_>) {
    let mut verb = Verb::default();
    while let Some(c) = rest.chars().next() {
        match c {
            '#' => verb.sharp = true,
            '0' => verb.zero = true,
            '+' => verb.plus = true,
            '-' => verb.minus = true,
            ' ' => verb.space = true,
            _ => break,
        }
        *rest = &rest[1..];
    }
    state.good = true;
    state.index(rest);
    if let Some(after) = rest.strip_prefix('*') {
        *rest = after;
        match state.star().map(|it| (it < 0, usize::try_from(it.unsigned_abs()))) {
            Some((is_left, Ok(width))) if width <= MAX_WIDTH => {
                verb.minus |= is_left;
                verb.width = Some(width);
            }
            _ => out.push_str("%!(BADWIDTH)"),
        }
    } else {
        verb.width = digits(rest);
    }
    if let Some(after) = rest.strip_prefix('.') {
        *rest = after;
        state.index(rest);
        if let Some(after) = rest.strip_prefix('*') {
            *rest = after;
            verb.precision = state.star().and_then(|it| usize::try_from(it).ok());
            if verb.precision.is_none() {
                out.push_str("%!(BADPREC)");
            }
        } else {
            verb.precision = Some(digits(rest).unwrap_or_default());
        }
    }
    state.index(rest);
    let Some(letter) = rest.chars().next() else {
        out.push_str("%!(NOVERB)");
        return;
    };
    *rest = &rest[letter.len_utf8()..];
    verb.letter = letter;
    if letter == '%' {
        out.push('%');
    } else if !state.good {
        out.push_str(&format!("%!{letter}(BADINDEX)"));
    } else if let Some(item) = state.items.get(state.next) {
        state.next += 1;
        put(out, item.form(), item.type_name(), &verb);
    } else {
        out.push_str(&format!("%!{letter}(MISSING)"));
    }
}

fn put(out: &mut String, value: Form<'_>, type_name: &str, verb: &Verb) {
    if verb.letter == 'T' {
        return pad(out, type_name, verb);
    }
    match (value, verb.letter) {
        (Form::Nothing, 'v') => pad(out, "<nil>", verb),
        (Form::Nothing, letter) => out.push_str(&format!("%!{letter}(<nil>)")),
        (Form::List(items), _) => {
            out.push('[');
            for (n, item) in items.iter().enumerate() {
                out.push_str(if n > 0 { " " } else { "" });
                put(out, form(item), form(item).type_name(), verb);
            }
            out.push(']');
        }
        (Form::Map(map), _) => {
            out.push_str("map[");
            for (n, (key, item)) in map.iter().enumerate() {
                out.push_str(if n > 0 { " " } else { "" });
                put(out, Form::Text(key), "string", verb);
                out.push(':');
                put(out, form(item), form(item).type_name(), verb);
            }
            out.push(']');
        }
        (Form::Bool(it), 'v' | 't') => pad(out, &it.to_string(), verb),
        (Form::Int(it), 'v' | 'd' | 'b' | 'o' | 'O' | 'x' | 'X' | 'c' | 'q' | 'U') => {
            integer(out, it, verb);
        }
        (Form::Float(it), 'v' | 'e' | 'E' | 'f' | 'F' | 'g' | 'G') => float(out, it, verb),
        (Form::Text(it), 'v' | 's' | 'q' | 'x' | 'X') => text(out, it, verb),
        (other, letter) => {
            let plain = Verb { letter: 'v', ..Verb::default() };
            out.push_str(&format!("%!{letter}({type_name}="));
            put(out, other, type_name, &plain);
            out.push(')');
        }
    }
}

/// Blanks up to the width.
fn pad(out: &mut String, text: &str, verb: &Verb) {
    let missing = verb.width.unwrap_or_default().saturating_sub(text.chars().count());
    if verb.minus {
        out.push_str(text);
    }
    out.extend(std::iter::repeat_n(' ', missing));
    if !verb.minus {
        out.push_str(text);
    }
}

/// Zeros or blanks up to the width, the sign before the zeros.
fn pad_number(out: &mut String, sign: &str, digits: &str, verb: &Verb) {
    let missing = verb.width.unwrap_or_default().saturating_sub(sign.len() + digits.len());
    let zeros = if verb.zero && !verb.minus { missing } else { 0 };
    pad(out, &format!("{sign}{}{digits}", "0".repeat(zeros)), verb);
}

fn sign_of(is_negative: bool, verb: &Verb) -> &'static str {
    match (is_negative, verb.plus, verb.space) {
        (true, ..) => "-",
        (_, true, _) => "+",
        (_, _, true) => " ",
        _ => "",
    }
}

fn integer(out: &mut String, value: i64, verb: &Verb) {
    let (n, sign) = (value.unsigned_abs(), sign_of(value < 0, verb));
    let letter = u32::try_from(value).ok().and_then(char::from_u32).unwrap_or('\u{fffd}');
    let (before, mut digits) = match verb.letter {
        'b' => ("0b", format!("{n:b}")),
        'o' => ("0", format!("{n:o}")),
        'O' => return pad_number(out, &format!("{sign}0o"), &format!("{n:o}"), verb),
        'x' => ("0x", format!("{n:x}")),
        'X' => ("0X", format!("{n:X}")),
        'c' => return pad(out, &letter.to_string(), verb),
        'q' => return pad(out, &format!("{letter:?}"), verb),
        'U' => return pad(out, &format!("U+{n:04X}"), verb),
        _ => ("", n.to_string()),
    };
    let n_zeros = verb.precision.unwrap_or_default().saturating_sub(digits.len());
    digits.insert_str(0, &"0".repeat(n_zeros.min(MAX_WIDTH)));
    let before = if verb.sharp { before } else { "" };
    let zero = verb.zero && verb.precision.is_none();
    pad_number(out, &format!("{sign}{before}"), &digits, &Verb { zero, ..verb.clone() });
}

fn float(out: &mut String, value: f64, verb: &Verb) {
    let n = value.abs();
    let digits = match verb.letter {
        'f' | 'F' => format!("{n:.*}", verb.precision.unwrap_or(6)),
        'e' | 'E' => exponent(&format!("{n:.*e}", verb.precision.unwrap_or(6))),
        _ => shortest(n, verb.precision),
    };
    let digits = if verb.letter.is_ascii_uppercase() { digits.to_uppercase() } else { digits };
    pad_number(out, sign_of(value.is_sign_negative(), verb), &digits, verb);
}

/// Rust's `1.5e7` as Go's `1.5e+07`.
fn exponent(text: &str) -> String {
    let Some((digits, exponent)) = text.split_once('e') else { return text.to_owned() };
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    format!("{digits}e{sign}{exponent:0>2}")
}

/// As `%g`.
fn shortest(n: f64, precision: Option<usize>) -> String {
    let scientific = match precision {
        Some(precision) => format!("{n:.*e}", precision.max(1) - 1),
        None => format!("{n:e}"),
    };
    let (digits, power) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let power: i64 = power.parse().unwrap_or_default();
    let n_digits = digits.trim_end_matches('0').bytes().filter(u8::is_ascii_digit).count().max(1);
    let before_point = usize::try_from(power + 1).unwrap_or_default();
    let limit = match precision {
        // Without a precision Go decides as for one of six digits.
        None => 6,
        Some(precision) if precision > n_digits && n_digits >= before_point => n_digits,
        Some(precision) => precision.max(1),
    };
    let is_large = power < -4 || usize::try_from(power).is_ok_and(|it| it >= limit);
    let trimmed = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    if is_large {
        return exponent(&format!("{}e{power}", trimmed(digits)));
    }
    match precision {
        None => format!("{n}"),
        Some(precision) => {
            let after = i64::try_from(precision.max(1)).unwrap_or_default() - 1 - power;
            trimmed(&format!("{n:.*}", usize::try_from(after).unwrap_or_default()))
        }
    }
}

fn text(out: &mut String, value: &str, verb: &Verb) {
    let cut: String = match verb.precision {
        Some(n) => value.chars().take(n).collect(),
        None => value.to_owned(),
    };
    let hex = |upper: bool| {
        let byte = |it: u8| if upper { format!("{it:02X}") } else { format!("{it:02x}") };
        let bytes: Vec<String> = cut.bytes().map(byte).collect();
        let before = match (verb.sharp, upper) {
            (true, true) => "0X",
            (true, false) => "0x",
            _ => "",
        };
        format!("{before}{}", bytes.join(if verb.space { " " } else { "" }))
    };
    let shown = match verb.letter {
        'q' if verb.sharp && !cut.contains(['`', '\n', '\r']) => format!("`{cut}`"),
        'q' if verb.plus => {
            let quoted = api::fields::quote(&cut);
            let ascii = |c: char| match u32::from(c) {
                0..0x80 => c.to_string(),
                code @ 0x80..0x1_0000 => format!("\\u{code:04x}"),
                code => format!("\\U{code:08x}"),
            };
            quoted.chars().map(ascii).collect()
        }
        'q' => api::fields::quote(&cut),
        'x' => hex(false),
        'X' => hex(true),
        _ => cut,
    };
    pad(out, &shown, verb);
}
