//! Text in columns. Upstream: Go's `text/tabwriter`, without tabs as padding.

/// Aligns text whose cells end with tabs and whose lines end with line feeds. Cells of adjacent
/// lines make a column; `min_width` includes the padding.
#[must_use]
pub fn align(text: &str, min_width: usize, padding: usize) -> String {
    let lines: Vec<Vec<&str>> = text.split('\n').map(|it| it.split('\t').collect()).collect();
    let mut writer = Writer {
        lines,
        out: String::with_capacity(text.len() * 2),
        widths: vec![],
        min_width,
        padding,
    };
    let n_lines = writer.lines.len();
    writer.format(0, n_lines);
    writer.out
}

const BLANKS: &str = "        ";

/// `n` blanks.
fn pad(out: &mut String, mut n: usize) {
    // In pieces of a known size, each a single store: WebAssembly calls out of the module to copy
    // others.
    while n >= BLANKS.len() {
        out.push_str(BLANKS);
        n -= BLANKS.len();
    }
    for _ in 0..n {
        out.push(' ');
    }
}

/// Characters; most cells have one byte for each.
fn count(cell: &str) -> usize {
    if cell.is_ascii() { cell.len() } else { cell.chars().count() }
}

struct Writer<'a> {
    lines: Vec<Vec<&'a str>>,
    out: String,
    widths: Vec<usize>,
    min_width: usize,
    padding: usize,
}

impl Writer<'_> {
    /// The cell of a line in a column that is being laid out; the last cell is in none.
    fn cell(&self, line: usize, column: usize) -> Option<&str> {
        let cells = self.lines.get(line)?;
        if column + 1 < cells.len() { cells.get(column).copied() } else { None }
    }

    fn format(&mut self, start: usize, end: usize) {
        let column = self.widths.len();
        let mut first = start;
        let mut line = start;
        while line < end {
            if self.cell(line, column).is_none() {
                line += 1;
                continue;
            }
            self.write(first, line);
            first = line;
            let mut width = self.min_width;
            while line < end {
                let Some(cell) = self.cell(line, column) else { break };
                width = width.max(count(cell) + self.padding);
                line += 1;
            }
            self.widths.push(width);
            self.format(first, line);
            self.widths.pop();
            first = line;
        }
        self.write(first, end);
    }

    fn write(&mut self, start: usize, end: usize) {
        let last = self.lines.len() - 1;
        for n in start..end {
            let cells = &self.lines[n];
            for (column, cell) in cells.iter().enumerate() {
                self.out.push_str(cell);
                if let Some(width) = self.widths.get(column) {
                    pad(&mut self.out, width.saturating_sub(count(cell)));
                }
            }
            if n < last {
                self.out.push('\n');
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_those_of_go() {
        let check = |text: &str, expected: &str| assert_eq!(align(text, 6, 3), expected);
        check("NAME\tAGE\nweb-1\t5s\n", "NAME    AGE\nweb-1   5s\n");
        check("A\tB\tC\nx\t\ty\n", "A     B     C\nx           y\n");
        check("A\tB\nlonger line\nC\tD\n", "A     B\nlonger line\nC     D\n");
    }
}
