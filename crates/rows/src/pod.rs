//! Rows of pods.
//!
//! Upstream: `printPod` in `pkg/printers/internalversion/printers.go`, v1.36.

use api::{PodRow, SmolStr};

use crate::{Cells, human};

/// Puts the cells of a pod: those after the age only into a `wide` table, `pod/` before the name
/// `with_kind`.
pub fn pod(row: &PodRow, wide: bool, with_kind: bool, to: &mut Cells) {
    let put = |to: &mut Cells, text: &str| {
        if row.plain { to.put_plain(text) } else { to.put(text) }
    };
    if with_kind {
        to.make(|it| {
            it.push_str("pod/");
            it.push_str(&row.name);
        });
    } else {
        put(to, &row.name);
    }
    match row.ready {
        // Most pods have one container.
        (0, 1) => to.put_plain("0/1"),
        (1, 1) => to.put_plain("1/1"),
        (ready, total) => to.format(format_args!("{ready}/{total}")),
    }
    put(to, &row.reason);
    match (row.restarts, row.restarted) {
        (0, _) => to.put_plain("0"),
        (n, Some(last)) => {
            let ago = human::since_timestamp(Some(last), to.now());
            to.format(format_args!("{n} ({ago} ago)"));
        }
        (n, None) => to.format(format_args!("{n}")),
    }
    to.age_of(row.created);
    if !wide {
        return;
    }
    let put_or_none = |to: &mut Cells, text: &SmolStr| {
        if text.is_empty() { to.put_plain("<none>") } else { put(to, text) }
    };
    put_or_none(to, &row.ip);
    put_or_none(to, &row.node);
    put_or_none(to, &row.nominated_node);
    match row.gates {
        (_, 0) => to.put_plain("<none>"),
        (n_true, n) => to.format(format_args!("{n_true}/{n}")),
    }
}
