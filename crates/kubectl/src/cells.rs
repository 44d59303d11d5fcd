//! The cells of a table. Ten thousand rows are printed within a few milliseconds, so what stands in
//! the objects is not copied, and what is made for the table stands in one text.

use std::fmt::{self, Write as _};

use api::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::{human, tabwriter};

/// The least width of a column with its padding, and the padding.
const MIN_WIDTH: usize = 6;
const PADDING: usize = 3;

#[derive(Clone, Copy)]
enum Cell<'a> {
    Borrowed(&'a str),
    /// From and to, in what was made.
    Made(usize, usize),
}

/// Rows of equally many cells.
pub(crate) struct Cells<'a> {
    cells: Vec<Cell<'a>>,
    made: String,
    /// Every cell is ASCII without tabs: as many columns as bytes.
    plain: bool,
    now: Timestamp,
    /// The age that was made last, and of what: rows often share it.
    last_age: Option<(Timestamp, Cell<'a>)>,
}

impl Cell<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Borrowed(text) => text.len(),
            Self::Made(from, to) => to - from,
        }
    }
}

impl<'a> Cells<'a> {
    /// No rows yet; ages are counted up to `now`.
    pub(crate) fn new(n_cells: usize, now: Timestamp) -> Self {
        Self {
            cells: Vec::with_capacity(n_cells),
            made: String::new(),
            plain: true,
            now,
            last_age: None,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    /// A cell that stands somewhere already.
    pub(crate) fn put(&mut self, text: &'a str) {
        if text.bytes().all(is_plain) {
            self.cells.push(Cell::Borrowed(text));
        } else {
            self.make(|it| it.push_str(text));
        }
    }

    /// As [`put`](Self::put), for a word of our own, which is plain.
    fn put_word(&mut self, word: &'static str) {
        self.cells.push(Cell::Borrowed(word));
    }

    /// A text that may be missing.
    pub(crate) fn put_or_none(&mut self, text: Option<&'a str>) {
        match text.filter(|it| !it.is_empty()) {
            Some(text) => self.put(text),
            None => self.put_word("<none>"),
        }
    }

    /// A cell that is made for the table.
    pub(crate) fn make(&mut self, write: impl FnOnce(&mut String)) {
        let start = self.made.len();
        write(&mut self.made);
        self.close(start);
    }

    fn close(&mut self, start: usize) {
        let text = &self.made[start..];
        if !text.bytes().all(is_plain) {
            // What comes after the end of a line is not shown.
            if let Some(at) = text.find(['\x0c', '\n', '\r']) {
                self.made.truncate(start + at);
                self.made.push_str("...");
            }
            self.plain &= self.made[start..].bytes().all(is_plain);
        }
        self.cells.push(Cell::Made(start, self.made.len()));
    }

    /// As [`make`](Self::make).
    pub(crate) fn format(&mut self, arguments: fmt::Arguments<'_>) {
        self.make(|it| {
            // Writing to a text does not fail.
            let _ = it.write_fmt(arguments);
        });
    }

    /// How long ago a time was.
    pub(crate) fn age(&mut self, time: Option<&Time>) {
        self.age_of(time.map(|it| it.0));
    }

    /// As [`age`](Self::age).
    pub(crate) fn age_of(&mut self, time: Option<Timestamp>) {
        let Some(time) = time else { return self.put_word("<unknown>") };
        match self.last_age {
            Some((last, cell)) if last == time => self.cells.push(cell),
            _ => {
                let age = human::since_timestamp(Some(time), self.now);
                self.make(|it| it.push_str(&age));
                self.last_age = self.cells.last().map(|it| (time, *it));
            }
        }
    }

    fn text<'b>(&'b self, cell: &Cell<'b>) -> &'b str {
        match *cell {
            Cell::Borrowed(text) => text,
            Cell::Made(from, to) => &self.made[from..to],
        }
    }

    /// The rows one below the other in columns, as Go's `text/tabwriter` aligns them.
    pub(crate) fn aligned(&self, n_columns: usize) -> String {
        if n_columns == 0 || !self.plain {
            return self.aligned_as_text(n_columns.max(1));
        }
        let mut widths = vec![MIN_WIDTH; n_columns];
        for row in self.cells.chunks(n_columns) {
            for (cell, width) in row.iter().zip(&mut widths) {
                *width = (cell.len() + PADDING).max(*width);
            }
        }
        let row_width: usize = widths.iter().sum();
        let n_rows = self.cells.len() / n_columns;
        let mut out = String::with_capacity(n_rows * (row_width + 1));
        for row in self.cells.chunks(n_columns) {
            let mut missing = 0;
            for (cell, width) in row.iter().zip(&widths) {
                tabwriter::pad(&mut out, missing);
                out.push_str(self.text(cell));
                missing = width - cell.len();
            }
            out.push('\n');
        }
        out
    }

    fn aligned_as_text(&self, n_columns: usize) -> String {
        let mut text = String::new();
        for row in self.cells.chunks(n_columns) {
            for (n, cell) in row.iter().enumerate() {
                if n > 0 {
                    text.push('\t');
                }
                text.push_str(self.text(cell));
            }
            text.push('\n');
        }
        tabwriter::align(&text, MIN_WIDTH, PADDING)
    }
}

fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rows: &[&[&str]], expected: &str) {
        let mut cells = Cells::new(0, Timestamp::UNIX_EPOCH);
        for cell in rows.iter().copied().flatten() {
            cells.put(cell);
        }
        let n_columns = rows.first().map_or(0, |it| it.len());
        assert_eq!(cells.aligned(n_columns), expected);
        let mut made = Cells::new(0, Timestamp::UNIX_EPOCH);
        for cell in rows.iter().copied().flatten() {
            made.format(format_args!("{cell}"));
        }
        assert_eq!(made.aligned(n_columns), expected);
        assert_eq!(made.aligned_as_text(n_columns), expected);
    }

    #[test]
    fn rows_are_aligned_as_by_go() {
        check(&[&["NAME"], &["a"]], "NAME\na\n");
        check(&[&["NAME", "AGE"], &["web-1", "5s"]], "NAME    AGE\nweb-1   5s\n");
        check(&[&["A", "B", "C"], &["x", "", ""]], "A     B     C\nx           \n");
        check(&[&["\u{e9}t\u{e9}", "B"], &["longer", ""]], "\u{e9}t\u{e9}      B\nlonger   \n");
        check(&[&["a\nb", "c"], &["\r", "d"]], "a...   c\n...    d\n");
        check(&[&["a\tb", "c"], &["d", "e"]], "a     b     c\nd     e\n");
    }

    #[test]
    fn ages_are_counted_up_to_now() {
        let at = |seconds: i64| Timestamp::from_second(seconds).unwrap();
        let mut cells = Cells::new(0, at(100));
        for time in [Some(at(90)), Some(at(90)), Some(at(40)), None] {
            cells.age_of(time);
        }
        assert_eq!(cells.aligned(1), "10s\n10s\n60s\n<unknown>\n");
        assert_eq!(cells.made, "10s60s");
    }
}
