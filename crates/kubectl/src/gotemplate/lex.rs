//! From the text of a template to its words.
//!
//! Upstream: Go's `text/template/parse/lex.go`.

use super::Mistake;

/// A word of a template, and where it begins.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Item {
    pub(super) at: usize,
    pub(super) word: Word,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Word {
    /// What stands outside of the braces.
    Text(String),
    /// `{{` and what trims it.
    Open,
    /// `}}`.
    Close,
    /// Blanks, which part operands.
    Blank,
    /// `.`.
    Dot,
    /// `.name`, without the dot.
    Field(String),
    /// `$` or `$name`, with the dollar.
    Variable(String),
    /// A function or a keyword.
    Name(String),
    /// As it is written.
    Number(String),
    /// A text as it is written, and what it means.
    Quoted(String, String),
    /// One of `(`, `)`, `|`, `=`, `,`, and `:` for `:=`.
    Sign(char),
}

/// The words of a template.
pub(super) fn items(template: &str) -> Result<Vec<Item>, Mistake> {
    let mut lexer = Lexer { template, at: 0, items: vec![] };
    let mut trims = false;
    loop {
        let rest = &template[lexer.at..];
        let open = rest.find("{{");
        let mut text = &rest[..open.unwrap_or(rest.len())];
        let start = lexer.at;
        if trims {
            text = text.trim_start_matches(is_blank);
        }
        let Some(open) = open else {
            lexer.put(start, Word::Text(text.to_owned()));
            return Ok(lexer.items);
        };
        let inside = &rest[open + 2..];
        let trims_before = inside.starts_with('-') && inside[1..].starts_with(is_blank);
        if trims_before {
            text = text.trim_end_matches(is_blank);
        }
        lexer.put(start, Word::Text(text.to_owned()));
        lexer.at = start + open + 2 + if trims_before { 2 } else { 0 };
        trims = match template[lexer.at..].starts_with("/*") {
            true => lexer.comment()?,
            false => lexer.action()?,
        };
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

struct Lexer<'a> {
    template: &'a str,
    at: usize,
    items: Vec<Item>,
}

impl<'a> Lexer<'a> {
    fn put(&mut self, at: usize, word: Word) {
        if word != Word::Text(String::new()) {
            self.items.push(Item { at, word });
        }
    }

    fn rest(&self) -> &'a str {
        &self.template[self.at..]
    }

    fn fail<T>(&self, why: impl Into<String>) -> Result<T, Mistake> {
        Err(Mistake::at(self.template, self.at, why))
    }

    /// Returns whether blanks after it go away.
    fn comment(&mut self) -> Result<bool, Mistake> {
        let Some(end) = self.rest().find("*/") else { return self.fail("unclosed comment") };
        self.at += end + 2;
        match self.end() {
            Some((length, trims)) => {
                self.at += length;
                Ok(trims)
            }
            None => self.fail("comment ends before closing delimiter"),
        }
    }

    /// The length of the closing braces, if they stand here, and whether blanks after them go away.
    fn end(&self) -> Option<(usize, bool)> {
        let rest = self.rest();
        let blank = rest.chars().next().filter(|it| is_blank(*it)).map(char::len_utf8);
        match blank.filter(|it| rest[*it..].starts_with("-}}")) {
            Some(blank) => Some((blank + 3, true)),
            None => rest.starts_with("}}").then_some((2, false)),
        }
    }

    /// Returns whether blanks after it go away.
    fn action(&mut self) -> Result<bool, Mistake> {
        self.put(self.at, Word::Open);
        let mut depth = 0_usize;
        loop {
            if let Some((length, trims)) = self.end() {
                if depth > 0 {
                    return self.fail("unclosed left paren");
                }
                self.put(self.at, Word::Close);
                self.at += length;
                return Ok(trims);
            }
            let (at, rest) = (self.at, self.rest());
            let Some(c) = rest.chars().next() else { return self.fail("unclosed action") };
            let word = match c {
                _ if is_blank(c) => {
                    let mut blanks = rest.char_indices();
                    // Blanks before a trimming end are part of it.
                    let end = blanks.find(|it| !is_blank(it.1)).map_or(rest.len(), |it| it.0);
                    let trims = rest[end..].starts_with("-}}");
                    self.at += if trims && end > 1 { end - 1 } else { end };
                    Word::Blank
                }
                ':' => {
                    if !rest.starts_with(":=") {
                        return self.fail("expected :=");
                    }
                    self.at += 2;
                    Word::Sign(':')
                }
                '=' | '|' | ',' | '(' | ')' => {
                    match c {
                        '(' => depth += 1,
                        ')' if depth == 0 => return self.fail("unexpected right paren"),
                        ')' => depth -= 1,
                        _ => {}
                    }
                    self.at += 1;
                    Word::Sign(c)
                }
                '"' | '`' | '\'' => self.quoted(c)?,
                '.' if !rest[1..].starts_with(|it: char| it.is_ascii_digit()) => {
                    let name = self.name(1);
                    if name.is_empty() { Word::Dot } else { Word::Field(name) }
                }
                '$' => Word::Variable(format!("${}", self.name(1))),
                '+' | '-' | '.' | '0'..='9' => self.number()?,
                _ if is_word(c) => Word::Name(self.name(0)),
                '!'..='~' => {
                    self.at += 1;
                    Word::Sign(c)
                }
                _ => {
                    let code = u32::from(c);
                    return self
                        .fail(format!("unrecognized character in action: U+{code:04X} '{c}'"));
                }
            };
            if let Word::Field(_) | Word::Variable(_) | Word::Name(_) = word {
                self.ends_word()?;
            }
            self.put(at, word);
        }
    }

    /// Whether what follows may stand behind a word.
    fn ends_word(&self) -> Result<(), Mistake> {
        match self.rest().chars().next() {
            Some(c) if !is_blank(c) && !".,|:=)(}".contains(c) => {
                let code = u32::from(c);
                self.fail(format!("bad character U+{code:04X} '{c}'"))
            }
            _ => Ok(()),
        }
    }

    /// The word behind so many bytes.
    fn name(&mut self, skipped: usize) -> String {
        let rest = &self.rest()[skipped..];
        let length = rest.find(|it| !is_word(it)).unwrap_or(rest.len());
        self.at += skipped + length;
        rest[..length].to_owned()
    }

    fn number(&mut self) -> Result<Word, Mistake> {
        let rest = self.rest();
        let mut before = ' ';
        let is_part = |c: char| {
            let signed = matches!(c, '+' | '-') && matches!(before, ' ' | 'e' | 'E' | 'p' | 'P');
            before = c;
            signed || c == '.' || is_word(c)
        };
        let mut is_part = is_part;
        let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let text = &rest[..length];
        if super::number(text).is_none() {
            let why = match text.to_ascii_lowercase().as_str() {
                "+" | "-" | "0x" | "0o" | "0b" => "illegal number syntax",
                _ if text.bytes().all(|it| it.is_ascii_digit()) => "integer overflow",
                _ => "bad number syntax",
            };
            return self.fail(format!("{why}: {}", api::fields::quote(text)));
        }
        self.at += length;
        Ok(Word::Number(text.to_owned()))
    }

    fn quoted(&mut self, quote: char) -> Result<Word, Mistake> {
        let rest = self.rest();
        let mut escaped = false;
        let end = rest.char_indices().skip(1).find(|(_, c)| {
            let ends = *c == quote && !escaped || *c == '\n' && quote != '`';
            escaped = quote != '`' && *c == '\\' && !escaped;
            ends
        });
        let end = match end {
            Some((end, c)) if c == quote => end + 1,
            _ => {
                return self.fail(match quote {
                    '"' => "unterminated quoted string",
                    '`' => "unterminated raw quoted string",
                    _ => "unterminated character constant",
                });
            }
        };
        let written = &rest[..end];
        let inner = &written[1..end - 1];
        let meant = match quote {
            '`' => Some(inner.replace('\r', "")),
            _ => unescaped(inner),
        };
        let Some(meant) = meant else { return self.fail("invalid syntax") };
        self.at += end;
        if quote != '\'' {
            return Ok(Word::Quoted(written.to_owned(), meant));
        }
        let mut letters = meant.chars();
        match (letters.next(), letters.next()) {
            // A letter is a number to Go.
            (Some(letter), None) => Ok(Word::Number(u32::from(letter).to_string())),
            _ => self.fail(format!("malformed character constant: {written}")),
        }
    }
}

/// What stands between quotes, as Go's `strconv.Unquote` reads it.
fn unescaped(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        let c = rest.next()?;
        let (n, radix) = match c {
            'x' => (2, 16),
            'u' => (4, 16),
            'U' => (8, 16),
            '0'..='7' => (2, 8),
            _ => (0, 0),
        };
        if n == 0 {
            out.push(match c {
                'a' => '\u{7}',
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'v' => '\u{b}',
                '\\' | '\'' | '"' => c,
                _ => return None,
            });
            continue;
        }
        let mut digits: String = rest.by_ref().take(n).collect();
        if radix == 8 {
            digits.insert(0, c);
        }
        out.push(char::from_u32(u32::from_str_radix(&digits, radix).ok()?)?);
    }
    Some(out)
}
