//! What a template asks of the items of a list: of thousands of objects only that is written.

use super::{Operand, Part, Step, Template};

/// More are not worth it: the objects are walked once for each.
const MAX_PATHS: usize = 4;

impl Template {
    /// The keys with which the paths into each of `.items` begin, if these are known and few. None
    /// is empty: then all of an item would be asked for.
    pub(crate) fn paths_of_items(&self) -> Option<Vec<Vec<&str>>> {
        let mut needs = Needs { paths: vec![] };
        needs.of_list(&self.parts)?;
        let mut paths = needs.paths;
        paths.sort();
        // What begins with another path is in it.
        paths.dedup_by(|longer, path| longer.starts_with(path));
        (paths.len() <= MAX_PATHS && paths.iter().all(|it| !it.is_empty())).then_some(paths)
    }
}

struct Needs<'a> {
    paths: Vec<Vec<&'a str>>,
}

impl<'a> Needs<'a> {
    /// Of parts that are given the list.
    fn of_list(&mut self, parts: &'a [Part]) -> Option<()> {
        for part in parts {
            match part {
                Part::Text(_) => {}
                Part::Path(path) => {
                    let item = self.inside_items(path)?;
                    self.add(&[], item)?;
                }
                Part::Range(path, inner) => {
                    let item = self.inside_items(path)?;
                    self.of_parts(&keys(item)?, inner)?;
                }
            }
        }
        Some(())
    }

    /// The rest of a path that goes into the items.
    fn inside_items(&mut self, path: &'a [Step]) -> Option<&'a [Step]> {
        let path = path.strip_prefix(&[Step::Root]).unwrap_or(path);
        match path {
            [Step::Field(items), chosen, rest @ ..] if items == "items" => {
                match chosen {
                    Step::Index(_) | Step::Slice(..) | Step::Wildcard => {}
                    Step::Filter(left, _, right) => {
                        self.of_operand(&[], left)?;
                        self.of_operand(&[], right)?;
                    }
                    _ => return None,
                }
                Some(rest)
            }
            _ => None,
        }
    }

    /// Of parts that are given what lies at some keys of an item.
    fn of_parts(&mut self, at: &[&'a str], parts: &'a [Part]) -> Option<()> {
        for part in parts {
            match part {
                Part::Text(_) => {}
                Part::Path(path) => self.add(at, path)?,
                Part::Range(path, inner) => {
                    let below = [at, &keys(path)?].concat();
                    self.add(at, path)?;
                    self.of_parts(&below, inner)?;
                }
            }
        }
        Some(())
    }

    fn of_operand(&mut self, at: &[&'a str], operand: &'a Operand) -> Option<()> {
        match operand {
            Operand::Path(path) => self.add(at, path),
            Operand::Value(_) | Operand::Nothing => Some(()),
        }
    }

    fn add(&mut self, at: &[&'a str], path: &'a [Step]) -> Option<()> {
        self.paths.push([at, &keys(path)?].concat());
        Some(())
    }
}

/// The keys with which a path begins; nothing for one that leaves the item.
fn keys(path: &[Step]) -> Option<Vec<&str>> {
    fn stays(step: &Step) -> bool {
        let operand = |it: &Operand| match it {
            Operand::Path(path) => path.iter().all(stays),
            Operand::Value(_) | Operand::Nothing => true,
        };
        match step {
            Step::Root => false,
            Step::Filter(left, _, right) => operand(left) && operand(right),
            Step::Union(steps) => steps.iter().all(stays),
            _ => true,
        }
    }
    if !path.iter().all(stays) {
        return None;
    }
    let keys = path.iter().map_while(|it| match it {
        Step::Field(key) => Some(key.as_str()),
        _ => None,
    });
    Some(keys.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(template: &str, expected: Option<&[&str]>) {
        let template = Template::parse(template).unwrap();
        let paths = template.paths_of_items();
        let joined = paths.map(|it| it.iter().map(|it| it.join(".")).collect::<Vec<_>>());
        let joined = joined.as_ref().map(|it| it.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(joined.as_deref(), expected, "{template:?}");
    }

    #[test]
    fn of_items_only_what_the_paths_begin_with_is_needed() {
        check("{.items[*].metadata.name}", Some(&["metadata.name"]));
        check("{$.items[0].spec.containers[*].image}", Some(&["spec.containers"]));
        check(
            "{range .items[*]}{.metadata.name}{\"\\t\"}{.status.phase}{\"\\n\"}{end}",
            Some(&["metadata.name", "status.phase"]),
        );
        check("{.items[?(@.kind==\"Pod\")].metadata.name}", Some(&["kind", "metadata.name"]));
        check(
            "{range .items[*]}{range .spec.containers[*]}{.image}{end}{.spec.nodeName}{end}",
            Some(&["spec.containers", "spec.nodeName"]),
        );
        check(
            "{range .items[*].spec}{.nodeName}{.containers}{end}",
            Some(&["spec.containers", "spec.nodeName"]),
        );
        check("{.items[*].metadata.name}{.items[*].metadata}", Some(&["metadata"]));
    }

    #[test]
    fn what_asks_for_whole_items_or_much_of_them_is_given_all() {
        for all in [
            "{.items}",
            "{.items[*]}",
            "{..name}",
            "{.kind}",
            "{@}",
            "{.items[*]['metadata','spec']}",
            "{.items[*]..name}",
            "{range .items[*]}{@}{end}",
            "{range .items[*]}{$.items[0].kind}{end}",
            "{.items[?(@.spec.nodeName==$.items[0].spec.nodeName)].metadata.name}",
            "{.items[*].a}{.items[*].b}{.items[*].c}{.items[*].d}{.items[*].e}",
        ] {
            check(all, None);
        }
    }
}
