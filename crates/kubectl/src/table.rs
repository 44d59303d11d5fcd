//! Tables of objects as kubectl prints them.
//!
//! Upstream: `staging/src/k8s.io/cli-runtime/pkg/printers/tableprinter.go`, v1.36.

use api::{Kind, Object, Timestamp};

use crate::printers::{self, Column};
use crate::{commands, tabwriter};

/// What to show.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    pub(crate) wide: bool,
    pub(crate) no_headers: bool,
    pub(crate) with_namespace: bool,
    pub(crate) with_kind: bool,
    pub(crate) show_labels: bool,
    pub(crate) label_columns: Vec<String>,
}

/// Objects of one kind.
pub(crate) struct Table<'a> {
    kind: Kind,
    objects: &'a [Object],
}

impl<'a> Table<'a> {
    pub(crate) fn of(kind: Kind, objects: &'a [Object]) -> Self {
        Self { kind, objects }
    }

    /// The text, nothing for no objects.
    pub(crate) fn print(&self, options: &Options, now: Timestamp) -> String {
        if self.objects.is_empty() {
            return String::new();
        }
        let columns = printers::columns(self.kind);
        let with_namespace = options.with_namespace && self.kind.namespaced();
        let mut text = String::with_capacity(self.objects.len() * 64);
        let mut put = |row: &[String]| {
            for (n, cell) in row.iter().enumerate() {
                if n > 0 {
                    text.push('\t');
                }
                text.push_str(cell);
            }
            text.push('\n');
        };
        if !options.no_headers {
            put(&header(&columns, options, with_namespace));
        }
        for object in self.objects {
            put(&self.row(object, &columns, options, with_namespace, now));
        }
        tabwriter::align(&text, 6, 3)
    }

    fn row(
        &self,
        object: &Object,
        columns: &[Column],
        options: &Options,
        with_namespace: bool,
        now: Timestamp,
    ) -> Vec<String> {
        let mut row = vec![];
        if with_namespace {
            row.push(object.namespace().to_owned());
        }
        for (column, cell) in columns.iter().zip(printers::cells(object, now)) {
            if column.wide && !options.wide {
                continue;
            }
            let cell = one_line(cell);
            row.push(match column.is_name && options.with_kind {
                true => commands::display_name(self.kind, &cell),
                false => cell,
            });
        }
        let labels = object.meta().labels.as_ref();
        for label in &options.label_columns {
            row.push(labels.and_then(|it| it.get(label)).cloned().unwrap_or_default());
        }
        if options.show_labels {
            row.push(printers::format_labels(labels));
        }
        row
    }
}

fn header(columns: &[Column], options: &Options, with_namespace: bool) -> Vec<String> {
    let mut row = vec![];
    if with_namespace {
        row.push("NAMESPACE".to_owned());
    }
    let shown = columns.iter().filter(|it| options.wide || !it.wide);
    row.extend(shown.map(|it| it.name.to_uppercase()));
    let short = |it: &String| it.rsplit('/').next().unwrap_or_default().to_uppercase();
    row.extend(options.label_columns.iter().map(short));
    if options.show_labels {
        row.push("LABELS".to_owned());
    }
    row
}

/// A cell up to its first line end; tabs would break the table.
fn one_line(mut cell: String) -> String {
    if let Some(at) = cell.bytes().position(|it| matches!(it, b'\x0c' | b'\n' | b'\r')) {
        cell.truncate(at);
        cell.push_str("...");
    }
    cell
}
