//! The gallery: scenarios in the order of the book's chapters. Each file begins with a block of
//! comments: the title, then `chapter`, `lesson`, `try`, and optionally `at` and `select`.

/// One scenario of the gallery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The name in `#example/<id>`: the file's.
    pub id: &'static str,
    /// The title as a comment and the documents: what the editor shows.
    pub text: String,
    /// First line.
    pub title: &'static str,
    /// Chapter of the book.
    pub chapter: &'static str,
    /// What it shows, in a sentence.
    pub lesson: &'static str,
    /// What to change to learn more.
    pub hint: &'static str,
    /// Where its clock stands when it is opened, milliseconds.
    pub at_ms: i64,
}

macro_rules! examples {
    ($($id:literal),* $(,)?) => {
        [$(($id, include_str!(concat!("../examples/", $id, ".yaml")))),*]
    };
}

const FILES: [(&str, &str); 17] = examples![
    "stranded",
    "node-selector",
    "node-affinity",
    "pod-affinity",
    "topology-spread",
    "taints",
    "priority",
    "custom-scheduler",
    "batch",
    "indexed",
    "work-queue",
    "back-off",
    "every-three-minutes",
    "forbid-and-replace",
    "time-zone",
    "daemon",
    "together",
];

/// All of them, in order.
#[must_use]
pub fn all() -> Vec<Example> {
    FILES.iter().map(|(id, text)| parse(id, text)).collect()
}

/// The one with an id.
#[must_use]
pub fn find(id: &str) -> Option<Example> {
    FILES.iter().find(|it| it.0 == id).map(|(id, text)| parse(id, text))
}

fn parse(id: &'static str, text: &'static str) -> Example {
    let body = text.lines().skip_while(|it| it.starts_with('#'));
    let mut example =
        Example { id, text: String::new(), title: "", chapter: "", lesson: "", hint: "", at_ms: 0 };
    for line in text.lines().map_while(|it| it.strip_prefix("# ")) {
        match line.split_once(": ") {
            Some(("chapter", it)) => example.chapter = it,
            Some(("lesson", it)) => example.lesson = it,
            Some(("try", it)) => example.hint = it,
            Some(("at", it)) => example.at_ms = crate::format::parse_time(it).unwrap_or_default(),
            _ if example.title.is_empty() => example.title = line,
            _ => {}
        }
    }
    example.text = format!("# {}\n", example.title);
    body.for_each(|it| example.text.extend([it, "\n"]));
    example
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_says_what_it_teaches() {
        for it in all() {
            let parts = [it.title, it.chapter, it.lesson, it.hint];
            assert!(parts.iter().all(|it| !it.is_empty()), "{}: {parts:?}", it.id);
            assert!(it.title.len() <= 48, "{}: the title is too long for the header", it.id);
            assert!(!crate::outline::documents(&it.text).is_empty(), "{}", it.id);
        }
    }

    #[test]
    fn chapters_come_one_after_the_other() {
        let mut chapters: Vec<_> = all().iter().map(|it| it.chapter).collect();
        chapters.dedup();
        assert_eq!(
            chapters,
            ["Automated placement", "Batch job", "Periodic job", "Daemon service", "All together"]
        );
    }
}
