//! Tables of objects as kubectl prints them.
//!
//! Upstream: `staging/src/k8s.io/cli-runtime/pkg/printers/tableprinter.go`, v1.36.

use api::{Kind, Object, PodRow, Timestamp};
use rows::{Cells, Listed, human};

use crate::commands;
use crate::printers::{self, Column};

/// What to show.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    pub(crate) wide: bool,
    pub(crate) no_headers: bool,
    pub(crate) with_namespace: bool,
    pub(crate) with_kind: bool,
    pub(crate) show_labels: bool,
    pub(crate) label_columns: Vec<String>,
    /// Only what kubectl knows of every object without asking the server for a table.
    pub(crate) plain: bool,
}

/// Objects of one kind.
pub(crate) struct Table<'a> {
    kind: Kind,
    objects: &'a [Listed<'a>],
}

impl<'a> Table<'a> {
    pub(crate) fn of(kind: Kind, objects: &'a [Listed<'a>]) -> Self {
        Self { kind, objects }
    }

    /// The text, nothing for no objects.
    pub(crate) fn print(&self, options: &Options, now: Timestamp) -> String {
        if self.objects.is_empty() {
            return String::new();
        }
        // A service account is such a plain thing.
        let kind = if options.plain { Kind::ServiceAccount } else { self.kind };
        let columns = printers::columns(kind);
        let with_namespace = options.with_namespace && self.kind.namespaced();
        let header = header(&columns, options, with_namespace);
        let mut cells = Cells::new((self.objects.len() + 1) * header.len(), now);
        if !options.no_headers {
            header.iter().for_each(|it| cells.put(it));
        }
        for block in self.objects.chunks(rows::BLOCK) {
            rows::rows_near(block);
            for listed in block {
                self.row(listed, &columns, options, &mut cells);
            }
        }
        cells.aligned(header.len())
    }

    fn row(&self, listed: &Listed<'_>, columns: &[Column], options: &Options, cells: &mut Cells) {
        let with_namespace = options.with_namespace && self.kind.namespaced();
        // Of pods that do not come from the store, as those of a watch.
        let made = if options.plain { None } else { missing_row(listed) };
        let Listed { object, row, .. } = *listed;
        let row = row.or(made.as_ref()).filter(|_| !options.plain);
        match (row, object) {
            (Some(row), _) => {
                if with_namespace {
                    cells.put(&row.namespace);
                }
                rows::pod(row, options.wide, options.with_kind, cells);
            }
            (None, Object::Event(it)) if !options.plain => {
                if with_namespace {
                    cells.put(it.namespace());
                }
                rows::event(it, options.wide, options.with_kind, cells);
            }
            (None, object) => {
                if with_namespace {
                    cells.put(object.namespace());
                }
                self.cells_of(object, columns, options, cells);
            }
        }
        for label in &options.label_columns {
            let labels = object.meta().labels.as_ref();
            cells.put(labels.and_then(|it| it.get(label)).map_or("", String::as_str));
        }
        if options.show_labels {
            let labels = object.meta().labels.as_ref();
            cells.make(|it| it.push_str(&printers::format_labels(labels)));
        }
    }

    fn cells_of(&self, object: &Object, columns: &[Column], options: &Options, to: &mut Cells) {
        let cells = match options.plain {
            true => {
                let created = object.meta().creation_timestamp.as_ref();
                vec![object.name().to_owned(), human::since(created, to.now())]
            }
            false => printers::cells(object, to.now()),
        };
        for (column, cell) in columns.iter().zip(cells) {
            if column.wide && !options.wide {
                continue;
            }
            to.make(|it| {
                if column.is_name && options.with_kind {
                    commands::put_kind(it, self.kind);
                }
                it.push_str(&cell);
            });
        }
    }
}

/// Of pods that do not come from the store, as those of a watch.
fn missing_row(listed: &Listed<'_>) -> Option<PodRow> {
    match (listed.row, listed.object) {
        (None, Object::Pod(pod)) => Some(PodRow::of(pod)),
        _ => None,
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
