//! The cells of a table. Ten thousand rows are printed within a few milliseconds, so what stands in
//! the objects is not copied, and what is made for the table stands in one text.

use std::fmt::{self, Write as _};
use std::mem;

use api::Timestamp;

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
pub struct Cells<'a> {
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
    pub fn new(n_cells: usize, now: Timestamp) -> Self {
        Self {
            cells: Vec::with_capacity(n_cells),
            made: String::new(),
            plain: true,
            now,
            last_age: None,
        }
    }

    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// A cell that stands somewhere already.
    pub fn put(&mut self, text: &'a str) {
        if all_plain(text.as_bytes()) {
            self.put_plain(text);
        } else {
            self.make(|it| it.push_str(text));
        }
    }

    /// As [`put`](Self::put), for a text that is known to be printable ASCII.
    pub(crate) fn put_plain(&mut self, text: &'a str) {
        self.cells.push(Cell::Borrowed(text));
    }

    /// A cell that is made for the table.
    pub fn make(&mut self, write: impl FnOnce(&mut String)) {
        let start = self.made.len();
        write(&mut self.made);
        self.close(start);
    }

    fn close(&mut self, start: usize) {
        let text = &self.made[start..];
        if !all_plain(text.as_bytes()) {
            // What comes after the end of a line is not shown.
            if let Some(at) = text.find(['\x0c', '\n', '\r']) {
                self.made.truncate(start + at);
                self.made.push_str("...");
            }
            self.plain &= all_plain(&self.made.as_bytes()[start..]);
        }
        self.cells.push(Cell::Made(start, self.made.len()));
    }

    /// As [`make`](Self::make).
    pub fn format(&mut self, arguments: fmt::Arguments<'_>) {
        self.make(|it| {
            // Writing to a text does not fail.
            let _ = it.write_fmt(arguments);
        });
    }

    /// How long ago a time was.
    pub fn age_of(&mut self, time: Option<Timestamp>) {
        let Some(time) = time else { return self.put_plain("<unknown>") };
        match self.last_age {
            Some((last, cell)) if last == time => self.cells.push(cell),
            _ => {
                let seconds = human::seconds_between(time, self.now);
                self.make(|it| human::put_duration(it, seconds));
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
    pub fn aligned(&self, n_columns: usize) -> String {
        if n_columns == 0 || !self.plain {
            return self.aligned_as_text(n_columns.max(1));
        }
        let mut widths = vec![MIN_WIDTH; n_columns];
        let mut n_bytes = 0;
        for row in self.cells.chunks_exact(n_columns) {
            for (cell, width) in row.iter().zip(&mut widths) {
                *width = (cell.len() + PADDING).max(*width);
            }
            n_bytes += row.last().map_or(0, Cell::len) + 1;
        }
        let n_rows = self.cells.len() / n_columns;
        // The last cell of a row is followed by the end of the line, the others by blanks.
        let padded = widths.get(..n_columns - 1).unwrap_or_default();
        n_bytes += n_rows * padded.iter().sum::<usize>();
        let mut out = vec![b' '; n_bytes];
        let mut rest = out.as_mut_slice();
        for row in self.cells.chunks_exact(n_columns) {
            for (cell, width) in row.iter().zip(padded) {
                let (to, after) = mem::take(&mut rest).split_at_mut(*width);
                copy(to, self.text(cell).as_bytes());
                rest = after;
            }
            let text = row.last().map_or("", |it| self.text(it));
            let (to, after) = mem::take(&mut rest).split_at_mut(text.len() + 1);
            copy(to, text.as_bytes());
            if let Some(end) = to.last_mut() {
                *end = b'\n';
            }
            rest = after;
        }
        String::from_utf8(out).unwrap_or_default()
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

/// Copies a text to the beginning of a longer piece. In words: most cells are short, and
/// WebAssembly calls out of the module to copy any number of bytes.
fn copy(to: &mut [u8], text: &[u8]) {
    let (words, rest) = text.as_chunks::<8>();
    let (to_words, to_rest) = to.split_at_mut(text.len() - rest.len());
    for (to, from) in to_words.as_chunks_mut::<8>().0.iter_mut().zip(words) {
        *to = *from;
    }
    let (to, text) = (to_rest, rest);
    for (to, from) in to.iter_mut().zip(text) {
        *to = *from;
    }
}

/// Whether all bytes are printable ASCII; eight at a time.
fn all_plain(text: &[u8]) -> bool {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let (words, rest) = text.as_chunks::<8>();
    let is_plain = |word: &[u8; 8]| {
        let word = u64::from_ne_bytes(*word);
        // In bytes below 0x80 these sums do not carry over: from a blank on, the first sets the
        // highest bit; from DEL on, the second does.
        let low = word & (EACH * 0x80) == 0;
        let printable = word.wrapping_add(EACH * 0x60) & (EACH * 0x80) == EACH * 0x80;
        low && printable && word.wrapping_add(EACH) & (EACH * 0x80) == 0
    };
    words.iter().all(is_plain) && rest.iter().all(|it| matches!(it, b' '..=b'~'))
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
