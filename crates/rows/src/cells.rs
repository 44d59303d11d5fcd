//! The cells of a table. Ten thousand rows are printed within a few milliseconds, so what stands in
//! the objects is not copied, and what is made for the table stands in one text.

use std::fmt::{self, Write as _};
use std::mem;

use api::Timestamp;

use crate::{human, tabwriter};

/// The least width of a column with its padding, and the padding.
const MIN_WIDTH: usize = 6;
const PADDING: usize = 3;

/// Rows of equally many cells. Their texts are copied one behind the other as they come: the objects
/// lie all over the memory, and to come back to each for the layout costs more.
#[derive(Clone, Debug)]
pub struct Cells {
    text: Vec<u8>,
    /// How much of the text is in use.
    end: usize,
    /// The length of each cell.
    lengths: Vec<usize>,
    /// Every cell is ASCII without tabs: as many columns as bytes.
    plain: bool,
    now: Timestamp,
    /// The age that was made last, and of what: rows often share it.
    last_age: (Option<Timestamp>, String),
    /// For what is made: kept, so that its memory is.
    making: String,
}

impl Cells {
    /// No rows yet; ages are counted up to `now`.
    #[must_use]
    pub fn new(n_cells: usize, now: Timestamp) -> Self {
        Self {
            text: vec![0; n_cells * 8],
            end: 0,
            lengths: Vec::with_capacity(n_cells),
            plain: true,
            now,
            last_age: (None, String::new()),
            making: String::new(),
        }
    }

    /// What ages are counted up to.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// A cell. What comes after the end of a line is not shown.
    pub fn put(&mut self, text: &str) {
        if self.append_plain(text.as_bytes()) {
            return self.lengths.push(text.len());
        }
        let shown = match text.find(['\x0c', '\n', '\r']) {
            Some(at) => format!("{}...", &text[..at]),
            None => text.to_owned(),
        };
        self.put_whole(&shown);
    }

    /// A cell that may have several lines, and cells of its own behind tabs. What a terminal would
    /// obey is shown instead. Upstream: `EscapeTerminal`.
    pub fn put_whole(&mut self, text: &str) {
        if self.append_plain(text.as_bytes()) {
            return self.lengths.push(text.len());
        }
        let shown = text.replace('\x1b', "^[").replace('\r', "\\r");
        self.plain &= all_plain(shown.as_bytes());
        self.put_plain(&shown);
    }

    /// Appends a text if it is printable ASCII, and says whether it is. It is read once, and a word
    /// is written when it was looked at: a loop that may end with any word is no call to copy.
    fn append_plain(&mut self, text: &[u8]) -> bool {
        let Some(last) = text.last_chunk::<8>() else {
            let is_plain = text.iter().all(|it| matches!(it, b' '..=b'~'));
            if is_plain {
                self.append(text);
            }
            return is_plain;
        };
        let to = self.room(text.len());
        for (to, word) in to.as_chunks_mut::<8>().0.iter_mut().zip(text.as_chunks::<8>().0) {
            if !is_plain(word) {
                return false;
            }
            *to = *word;
        }
        if !is_plain(last) {
            return false;
        }
        if let Some(to) = to.last_chunk_mut() {
            *to = *last;
        }
        self.end += text.len();
        true
    }

    /// As [`put`](Self::put), for a text that is known to be printable ASCII.
    pub(crate) fn put_plain(&mut self, text: &str) {
        self.append(text.as_bytes());
        self.lengths.push(text.len());
    }

    fn append(&mut self, text: &[u8]) {
        copy(self.room(text.len()), text);
        self.end += text.len();
    }

    /// The next so many bytes of the text.
    fn room(&mut self, n_bytes: usize) -> &mut [u8] {
        let end = self.end + n_bytes;
        if end > self.text.len() {
            self.text.resize(2 * end, 0);
        }
        &mut self.text[self.end..end]
    }

    /// Cells that stand one behind the other in a text of printable ASCII, by their lengths.
    pub(crate) fn put_plain_cells<const N: usize>(&mut self, text: &str, lengths: [usize; N]) {
        debug_assert_eq!(lengths.iter().sum::<usize>(), text.len());
        self.append(text.as_bytes());
        self.lengths.extend_from_slice(&lengths);
    }

    /// A cell that is made for the table.
    pub fn make(&mut self, write: impl FnOnce(&mut String)) {
        let mut text = mem::take(&mut self.making);
        text.clear();
        write(&mut text);
        self.put(&text);
        self.making = text;
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
        let mut text = mem::take(&mut self.last_age.1);
        if self.last_age.0 != Some(time) {
            self.last_age.0 = Some(time);
            text.clear();
            human::put_duration(&mut text, human::seconds_between(time, self.now));
        }
        self.put_plain(&text);
        self.last_age.1 = text;
    }

    /// The rows one below the other in columns, as Go's `text/tabwriter` aligns them.
    #[must_use]
    pub fn aligned(&self, n_columns: usize) -> String {
        if n_columns == 0 || !self.plain {
            return self.aligned_as_text(n_columns.max(1));
        }
        let mut widths = vec![MIN_WIDTH; n_columns];
        let mut n_bytes = 0;
        for row in self.lengths.chunks_exact(n_columns) {
            for (length, width) in row.iter().zip(&mut widths) {
                *width = (length + PADDING).max(*width);
            }
            n_bytes += row.last().unwrap_or(&0) + 1;
        }
        let n_rows = self.lengths.len() / n_columns;
        // The last cell of a row is followed by the end of the line, the others by blanks.
        let padded = widths.get(..n_columns - 1).unwrap_or_default();
        n_bytes += n_rows * padded.iter().sum::<usize>();
        let mut out = vec![b' '; n_bytes];
        let (mut rest, mut text) = (out.as_mut_slice(), self.text.as_slice());
        for row in self.lengths.chunks_exact(n_columns) {
            for (length, width) in row.iter().zip(padded) {
                let (to, after) = mem::take(&mut rest).split_at_mut(*width);
                let (cell, later) = text.split_at(*length);
                copy(&mut to[..*length], cell);
                (rest, text) = (after, later);
            }
            let (cell, later) = text.split_at(*row.last().unwrap_or(&0));
            let (to, after) = mem::take(&mut rest).split_at_mut(cell.len() + 1);
            if let Some((end, to)) = to.split_last_mut() {
                copy(to, cell);
                *end = b'\n';
            }
            (rest, text) = (after, later);
        }
        String::from_utf8(out).unwrap_or_default()
    }

    fn aligned_as_text(&self, n_columns: usize) -> String {
        let mut text = String::new();
        let mut rest = std::str::from_utf8(&self.text[..self.end]).unwrap_or_default();
        for (n, length) in self.lengths.iter().enumerate() {
            let (cell, later) = rest.split_at(*length);
            text.push_str(cell);
            text.push(if (n + 1) % n_columns == 0 { '\n' } else { '\t' });
            rest = later;
        }
        tabwriter::align(&text, MIN_WIDTH, PADDING)
    }
}

/// Copies a text to a place of its length. Most cells are short, and WebAssembly calls out of the
/// module to copy any number of bytes; so these go in words, of which the two may overlap. No loop:
/// the compiler would make it a call again.
fn copy(to: &mut [u8], text: &[u8]) {
    /// The first and the last `N` bytes.
    fn ends<const N: usize>(to: &mut [u8], text: &[u8]) {
        if let (Some(to), Some(text)) = (to.first_chunk_mut::<N>(), text.first_chunk()) {
            *to = *text;
        }
        if let (Some(to), Some(text)) = (to.last_chunk_mut::<N>(), text.last_chunk()) {
            *to = *text;
        }
    }
    match text.len() {
        0 => {}
        1 => ends::<1>(to, text),
        2..4 => ends::<2>(to, text),
        4..8 => ends::<4>(to, text),
        8..=16 => ends::<8>(to, text),
        17..=32 => {
            ends::<8>(to, text);
            ends::<8>(&mut to[8..text.len() - 8], &text[8..text.len() - 8]);
            // Of 17 to 24 bytes all were copied but those between.
            if text.len() < 24 {
                ends::<8>(&mut to[..16], &text[..16]);
            }
        }
        33..=64 => ends::<32>(to, text),
        65..=128 => ends::<64>(to, text),
        _ => to.copy_from_slice(text),
    }
}

/// Whether all bytes are printable ASCII; eight at a time.
fn all_plain(text: &[u8]) -> bool {
    let (words, rest) = text.as_chunks::<8>();
    words.iter().all(is_plain) && rest.iter().all(|it| matches!(it, b' '..=b'~'))
}

/// Whether eight bytes are printable ASCII.
fn is_plain(word: &[u8; 8]) -> bool {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let word = u64::from_ne_bytes(*word);
    // In bytes below 0x80 these sums do not carry over: from a blank on, the first sets the
    // highest bit; from DEL on, the second does.
    let low = word & (EACH * 0x80) == 0;
    let printable = word.wrapping_add(EACH * 0x60) & (EACH * 0x80) == EACH * 0x80;
    low && printable && word.wrapping_add(EACH) & (EACH * 0x80) == 0
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
        check(&[&["\x1b[1mA", "B"]], "^[[1mA   B\n");
    }

    #[test]
    fn a_whole_cell_keeps_its_lines() {
        let mut cells = Cells::new(2, Timestamp::UNIX_EPOCH);
        for cell in ["a", "one\r\n\ttwo", "b", "\u{e9}"] {
            cells.put_whole(cell);
        }
        assert_eq!(cells.aligned(2), "a     one\\r\n      two\nb     \u{e9}\n");
    }

    #[test]
    fn texts_of_any_length_are_copied_whole() {
        for n in 0..200 {
            let text: Vec<u8> = (0..n).collect();
            let mut to = vec![u8::MAX; usize::from(n)];
            copy(&mut to, &text);
            assert_eq!(to, text);
        }
    }

    #[test]
    fn one_byte_at_any_place_makes_a_cell_odd() {
        for n in 0..40 {
            for at in 0..n {
                for (odd, cell) in [(b'\x1f', None), (b'\x7f', None), (b'\n', Some(at))] {
                    let mut text = vec![b'x'; n];
                    text[at] = odd;
                    let text = String::from_utf8(text).unwrap();
                    let shown = cell.map_or(text.clone(), |at| format!("{}...", &text[..at]));
                    check(&[&[&text, "b"]], &format!("{shown}{}b\n", gap(&shown)));
                }
            }
        }
    }

    fn gap(cell: &str) -> String {
        " ".repeat((cell.chars().count() + PADDING).max(MIN_WIDTH) - cell.chars().count())
    }

    #[test]
    fn ages_are_counted_up_to_now() {
        let at = |seconds: i64| Timestamp::from_second(seconds).unwrap();
        let mut cells = Cells::new(0, at(100));
        for time in [Some(at(90)), Some(at(90)), Some(at(40)), None] {
            cells.age_of(time);
        }
        assert_eq!(cells.aligned(1), "10s\n10s\n60s\n<unknown>\n");
    }
}
