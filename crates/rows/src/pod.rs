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

#[cfg(test)]
mod tests {
    use api::{PodRow, Timestamp};
    use k8s_openapi::api::core::v1::{Pod, PodStatus};

    use crate::Cells;

    fn check(reason: &str, wide: bool, with_kind: bool, expected: &str) {
        let status = PodStatus { reason: Some(reason.to_owned()), ..PodStatus::default() };
        let mut pod = Pod { status: Some(status), ..Pod::default() };
        pod.metadata.name = Some("web".to_owned());
        let row = PodRow::of(&pod);
        let mut cells = Cells::new(0, Timestamp::UNIX_EPOCH);
        super::pod(&row, wide, with_kind, &mut cells);
        cells.put("end");
        assert_eq!(cells.aligned(if wide { 10 } else { 6 }), expected);
    }

    #[test]
    fn what_a_status_holds_is_shown_as_kubectl_shows_it() {
        let unknown = "   0/0   Evicted   0     <unknown>   ";
        check("Evicted", false, false, &format!("web{unknown}end\n"));
        check("Evicted", false, true, &format!("pod/web{unknown}end\n"));
        let wide = format!("web{unknown}{}end\n", "<none>   ".repeat(4));
        check("Evicted", true, false, &wide);
        let two_lines = "web   0/0   one...   0     <unknown>   end\n";
        check("one\ntwo", false, false, two_lines);
        check("\u{e9}t\u{e9}", false, false, "web   0/0   \u{e9}t\u{e9}   0     <unknown>   end\n");
    }
}
