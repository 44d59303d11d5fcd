//! `-o`: names, YAML, JSON, JSONPath, columns, templates.
//!
//! Upstream: `staging/src/k8s.io/cli-runtime/pkg/printers`, `kubectl/pkg/cmd/get/customcolumn.go`,
//! v1.36.

use api::{Object, go_order, sent, yaml};
use rows::Listed;
use serde_json::{Map, Value, json};

use crate::failure::Failure;
use crate::jsonpath::{self, Template};
use crate::{commands, gotemplate, resources};

/// A form of output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Table { wide: bool },
    Name,
    Yaml,
    Kyaml,
    Json,
    JsonPath(String),
    JsonPathAsJson(String),
    CustomColumns(String),
    GoTemplate(String),
}

/// What else decides how objects are printed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PrintOptions {
    pub(crate) no_headers: bool,
    pub(crate) managed_fields: bool,
    /// Without what a server would add.
    pub(crate) as_written: bool,
    /// Fields in the order of Go's structs.
    pub(crate) typed: bool,
}

const ALLOWED: &str = "custom-columns,custom-columns-file,go-template,go-template-file,json,jsonpath,\
                       jsonpath-as-json,jsonpath-file,kyaml,name,template,templatefile,wide,yaml";

impl Format {
    pub(crate) fn parse(output: Option<&str>, template: Option<&str>) -> Result<Self, Failure> {
        let text = output.unwrap_or_default();
        let (name, argument) = match text.split_once('=') {
            Some((name, argument)) => (name, Some(argument)),
            None => (text, template),
        };
        let wanted = |it: Option<&str>, what: &str| {
            it.filter(|it| !it.is_empty()).map(str::to_owned).ok_or_else(|| {
                Failure::Text(format!("{what} format specified but no {what} given"))
            })
        };
        Ok(match &*name.to_lowercase() {
            "" if argument.is_some_and(|it| !it.is_empty()) => {
                Self::GoTemplate(wanted(argument, "template")?)
            }
            "" => Self::Table { wide: false },
            "wide" => Self::Table { wide: true },
            "name" => Self::Name,
            "yaml" => Self::Yaml,
            "kyaml" => Self::Kyaml,
            "json" => Self::Json,
            "jsonpath" => Self::JsonPath(wanted(argument, "template")?),
            "jsonpath-as-json" => Self::JsonPathAsJson(wanted(argument, "template")?),
            "custom-columns" => match argument {
                Some(columns) => Self::CustomColumns(columns.to_owned()),
                None => {
                    return Err(Failure::text(
                        "custom-columns format specified but no custom columns given",
                    ));
                }
            },
            "go-template" | "template" => Self::GoTemplate(wanted(argument, "template")?),
            "jsonpath-file" | "go-template-file" | "templatefile" | "custom-columns-file" => {
                return Err(no_file(name, argument));
            }
            _ => return Err(unmatched(text, ALLOWED)),
        })
    }

    /// Whether a command that shows no tables knows the format.
    pub(crate) fn check_without_tables(output: &str) -> Result<(), Failure> {
        let name = output.split('=').next().unwrap_or_default();
        let columns = name == "wide" || name.starts_with("custom-columns");
        let plain = || ALLOWED.split(',').filter(|it| *it != "wide" && !it.starts_with("custom-"));
        if name.is_empty() || plain().any(|it| it == name) && !columns {
            return Ok(());
        }
        Err(unmatched(output, &plain().collect::<Vec<_>>().join(",")))
    }
}

fn unmatched(output: &str, allowed: &str) -> Failure {
    Failure::Text(format!(
        "unable to match a printer suitable for the output format {}, allowed formats are: {allowed}",
        api::fields::quote(output)
    ))
}

/// There are no files of templates here.
fn no_file(format: &str, file: Option<&str>) -> Failure {
    let of_columns = format.starts_with("custom-columns");
    let Some(file) = file.filter(|it| !it.is_empty()) else {
        return Failure::text(match of_columns {
            true => "custom-columns format specified but no custom columns given",
            false => "template format specified but no template given",
        });
    };
    let flag = if of_columns { "template" } else { "--template" };
    Failure::Text(format!("error reading {flag} {file}, open {file}: no such file or directory"))
}

/// An object, with its managed fields for those who want them.
fn value_of(object: &Object, managed_fields: bool) -> Value {
    let mut value = sent::object_value(object);
    if managed_fields && let Some(entries) = sent::managed_fields(object) {
        value["metadata"]["managedFields"] = entries;
    }
    value
}

/// Several objects as one `List`.
fn list(objects: &[Object], managed_fields: bool) -> Value {
    list_of(objects.iter().map(|it| value_of(it, managed_fields)).collect())
}

fn list_of(items: Vec<Value>) -> Value {
    json!({"apiVersion": "v1", "items": items, "kind": "List", "metadata": {"resourceVersion": ""}})
}

/// What lies on some paths of an object, and perhaps a little more.
fn partial(object: &Object, paths: &[Vec<&str>]) -> Value {
    let mut whole = Value::Object(Map::new());
    for path in paths {
        if path.iter().zip(["metadata", "managedFields"]).all(|(a, b)| *a == b) {
            return value_of(object, true);
        }
        let plain = resources::plain_field(object, path).filter(|it| !it.is_empty());
        let part = match plain {
            Some(text) => path.iter().rev().fold(Value::from(text), |it, key| json!({*key: it})),
            None => sent::value_along(object, path),
        };
        add(&mut whole, part);
    }
    whole
}

/// Adds to a value what another has more.
fn add(to: &mut Value, more: Value) {
    match (to, more) {
        (Value::Object(to), Value::Object(more)) => {
            for (key, value) in more {
                add(to.entry(key).or_insert(Value::Null), value);
            }
        }
        (to, more) if to.is_null() => *to = more,
        _ => {}
    }
}

/// Prints objects; `single` where exactly one was asked for by name.
pub(crate) fn print(
    format: &Format,
    objects: &[Object],
    single: bool,
    options: &PrintOptions,
) -> Result<String, Failure> {
    // Templates see everything.
    let managed =
        options.managed_fields || !matches!(format, Format::Yaml | Format::Kyaml | Format::Json);
    let value = || match objects {
        [object] if options.as_written => api::wire::to_value(object),
        [object] if single => value_of(object, managed),
        _ => list(objects, managed),
    };
    Ok(match format {
        Format::Table { .. } => String::new(),
        Format::Name => names(&Listed::all(objects)),
        Format::CustomColumns(columns) => custom_columns(columns, objects, options)?,
        Format::JsonPath(template) | Format::JsonPathAsJson(template)
            if !single && objects.len() > 1 =>
        {
            let partial = Template::parse(template).ok().and_then(|template| {
                let paths = template.paths_of_items()?;
                Some(list_of(objects.iter().map(|it| partial(it, &paths)).collect()))
            });
            // A refusal shows everything.
            match partial.map(|it| print_value(format, &it)) {
                Some(Ok(text)) => text,
                _ => print_value(format, &value())?,
            }
        }
        Format::Json if options.typed => yaml::json_pretty(&go_order::InOrder::new(&value())),
        Format::Kyaml if options.typed => yaml::to_kyaml(&value(), &go_order::fields),
        other => print_value(other, &value())?,
    })
}

/// The kinds and names of objects, a line each.
pub(crate) fn names(objects: &[Listed<'_>]) -> String {
    let mut text = String::with_capacity(objects.len() * 32);
    for of_kind in objects.chunk_by(|a, b| a.object.kind() == b.object.kind()) {
        let mut kind = String::new();
        commands::put_kind(&mut kind, of_kind[0].object.kind());
        for Listed { name, .. } in of_kind {
            text.push_str(&kind);
            text.push_str(name);
            text.push('\n');
        }
    }
    text
}

/// Prints a value in those forms that know nothing of objects.
pub(crate) fn print_value(format: &Format, value: &Value) -> Result<String, Failure> {
    Ok(match format {
        Format::Json => yaml::to_json_pretty(value),
        Format::Kyaml => yaml::to_kyaml(value, &|map, _| map.iter().collect()),
        Format::JsonPath(template) => {
            let parsed = Template::parse(template).map_err(Failure::Text)?;
            if let Some(why) = parsed.refusal(value) {
                return Err(out_of_bounds(template, value, &why));
            }
            parsed.print(value)
        }
        Format::JsonPathAsJson(template) => {
            let template = Template::parse(template).map_err(Failure::Text)?;
            yaml::to_json_pretty(&template.all_values(value))
        }
        Format::GoTemplate(template) => gotemplate::print(template, value)?,
        _ => yaml::to_string(value),
    })
}

/// Prints what was applied: one object, or several as a list of the type `List`. Upstream:
/// `ApplyOptions.printObjects`.
pub(crate) fn print_applied(format: &Format, mut objects: Vec<Value>) -> Result<String, Failure> {
    if objects.len() == 1 {
        return print_value(format, &objects.remove(0));
    }
    if *format == Format::Json {
        // The list has a type, and its fields an order; its items have none.
        let items = yaml::to_json_pretty(&Value::Array(objects)).trim_end().replace('\n', "\n    ");
        return Ok(format!(
            "{{\n    \"kind\": \"List\",\n    \"apiVersion\": \"v1\",\n    \"metadata\": {{}},\n    \
             \"items\": {items}\n}}\n"
        ));
    }
    let list = json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": objects});
    print_value(format, &list)
}

/// Upstream: `JSONPathPrinter`, which shows everything it was given.
fn out_of_bounds(template: &str, value: &Value, why: &str) -> Failure {
    let mut shown = String::new();
    jsonpath::go_syntax(value, &mut shown);
    Failure::Raw(format!(
        "error: error executing jsonpath {}: Error executing template: {why}. Printing more \
         information for debugging the template:\n\ttemplate was:\n\t\t{template}\n\tobject given to \
         jsonpath engine was:\n\t\t{shown}\n\n\n",
        api::fields::quote(template)
    ))
}

fn custom_columns(
    spec: &str,
    objects: &[Object],
    options: &PrintOptions,
) -> Result<String, Failure> {
    let mut columns = vec![];
    if spec.is_empty() {
        let text = "custom-columns format specified but no custom columns given";
        return Err(Failure::text(text));
    }
    for part in spec.split(',') {
        let Some((header, path)) = part.split_once(':') else {
            return Err(Failure::Text(format!(
                "unexpected custom-columns spec: {part}, expected <header>:<json-path-expr>"
            )));
        };
        let template = Template::parse(&jsonpath::relaxed(path)?).map_err(Failure::Text)?;
        columns.push((header, template));
    }
    let mut lines = vec![];
    if !options.no_headers {
        lines.push(columns.iter().map(|it| it.0.to_owned()).collect::<Vec<_>>());
    }
    for object in objects {
        let cell = |template: &Template| {
            let values = template.find_in(object);
            let texts: Vec<String> = values.iter().map(yaml::go_text).collect();
            if texts.is_empty() { "<none>".to_owned() } else { texts.join(",") }
        };
        lines.push(columns.iter().map(|it| cell(&it.1)).collect());
    }
    let text: String = lines.iter().map(|it| format!("{}\n", it.join("\t"))).collect();
    Ok(rows::align(&text, 6, 3))
}
