//! Reads the documentation of fields that `crates/schema` writes.

/// The document: a line `#Type`, plain JSON type, description, then a line for each field: name, type
/// (with `!` where required), values of an enum, description; tabs between.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Documentation<'a>(pub(crate) &'a str);

/// A field of a type.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'a> {
    pub(crate) name: &'a str,
    /// Such as `[]Container`.
    pub(crate) shape: &'a str,
    pub(crate) required: bool,
    /// Parted by commas.
    pub(crate) values: &'a str,
    description: &'a str,
}

impl Field<'_> {
    pub(crate) fn description(&self) -> String {
        unescaped(self.description)
    }
}

impl<'a> Documentation<'a> {
    /// The lines of a type, its own first.
    fn lines(&self, name: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        let head = format!("#{name}\t");
        let at = match self.0.starts_with(&head) {
            true => Some(0),
            false => self.0.find(&format!("\n{head}")).map(|it| it + 1),
        };
        let rest = at.and_then(|it| self.0.get(it..)).unwrap_or_default();
        let mut lines = rest.lines();
        let first = lines.next();
        first.into_iter().chain(lines.take_while(|it| !it.starts_with('#')))
    }

    /// What is said of a type.
    pub(crate) fn description(&self, name: &str) -> Option<String> {
        self.lines(name).next()?.split('\t').nth(2).map(unescaped)
    }

    /// The JSON type of a type without fields.
    pub(crate) fn plain(&self, name: &str) -> Option<&'a str> {
        self.lines(name).next()?.split('\t').nth(1)
    }

    /// The fields of a type, by name.
    pub(crate) fn fields(&self, name: &str) -> impl Iterator<Item = Field<'a>> + use<'a> {
        self.lines(name).skip(1).map(|line| {
            let mut parts = line.splitn(4, '\t');
            let mut next = || parts.next().unwrap_or_default();
            let (name, shape, values, description) = (next(), next(), next(), next());
            let required = shape.ends_with('!');
            Field { name, shape: shape.trim_end_matches('!'), required, values, description }
        })
    }
}

fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, c == '\\') {
            (_, true) => match chars.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some(other) => out.push(other),
                None => {}
            },
            (c, false) => out.push(c),
        }
    }
    out
}
