//! What a command says of the objects that it changed.

use api::{Kind, Object, sent};

use super::{Session, files};
use crate::failure::Failure;
use crate::output_format::{self, Format, PrintOptions};

impl Session<'_> {
    pub(crate) fn output_options(&self) -> PrintOptions {
        PrintOptions {
            no_headers: self.args.is_on("no-headers"),
            managed_fields: self.args.is_on("show-managed-fields"),
            as_written: false,
            typed: false,
        }
    }

    /// Prints what was done to an object, or the object in the form of `-o`.
    pub(crate) fn print(&mut self, object: &Object, done: &str) -> Result<(), Failure> {
        let done = format!("{done}{}", self.dry_run_note()?);
        self.print_done(object, &done)
    }

    /// As [`Self::print`], of what was read of a file and seen by no server: as it stands there.
    pub(in crate::commands) fn print_read(
        &mut self,
        read: &files::Read,
        done: &str,
    ) -> Result<(), Failure> {
        let format = Format::parse(self.args.get("output"), self.args.get("template"))?;
        if matches!(format, Format::Table { .. } | Format::Name | Format::CustomColumns(_)) {
            return self.print(&read.object, done);
        }
        if let Some(kept) = &mut self.kept {
            kept.push(read.value.clone());
            return Ok(());
        }
        let text = output_format::print_value(&format, &read.value)?;
        self.print_document(&format, text);
        Ok(())
    }

    /// As [`Self::print`], without a word about a dry run: `patch` forgets it.
    pub(crate) fn print_done(&mut self, object: &Object, done: &str) -> Result<(), Failure> {
        let format = Format::parse(self.args.get("output"), self.args.get("template"))?;
        if let Some(kept) = &mut self.kept {
            let mut value = sent::object_value(object);
            if self.args.is_on("show-managed-fields")
                && let Some(entries) = sent::managed_fields(object)
            {
                value["metadata"]["managedFields"] = entries;
            }
            kept.push(value);
            return Ok(());
        }
        let text = match &format {
            Format::Table { .. } => {
                let name = display_name(object.kind(), object.name());
                format!("{name} {done}\n")
            }
            other => {
                let objects = std::slice::from_ref(object);
                // What was read of a file and seen by no server is shown as it was read, unless
                // the command knows its type.
                let command = self.command.split(' ').nth(1).unwrap_or_default();
                let knows_type = ["set", "expose", "autoscale"].contains(&command);
                let mut options = self.output_options();
                options.typed = match command {
                    "set" | "autoscale" | "run" | "rollout" | "taint" => true,
                    "create" => !self.args.has("filename"),
                    // What the server made of it is shown as it came.
                    "expose" => object.meta().uid.is_none(),
                    _ => false,
                };
                options.as_written =
                    object.meta().uid.is_none() && self.args.has("filename") && !knows_type;
                output_format::print(other, objects, true, &options)?
            }
        };
        self.print_document(&format, text);
        Ok(())
    }

    /// Prints an object; those commands that print all objects with one printer put a line between
    /// the documents of YAML. Upstream: `YAMLPrinter`.
    pub(crate) fn print_document(&mut self, format: &Format, text: String) {
        let command = self.command.split(' ').nth(1).unwrap_or_default();
        let has_one_printer = matches!(
            command,
            "create" | "replace" | "run" | "expose" | "autoscale" | "scale" | "set"
        );
        if *format == Format::Yaml && has_one_printer {
            if self.n_yaml > 0 {
                self.output.out("---\n");
            }
            self.n_yaml += 1;
        }
        self.output.out(text);
    }

    /// `pod "web" deleted from default namespace`.
    pub(crate) fn print_deleted(&mut self, object: &Object, forced: bool) -> Result<(), Failure> {
        let kind = object.kind();
        if self.args.get("output") == Some("name") {
            self.output.out(format!("{}\n", display_name(kind, object.name())));
            return Ok(());
        }
        let resource = match kind.group() {
            "" => kind.name().to_lowercase(),
            group => format!("{}.{group}", kind.name().to_lowercase()),
        };
        let place = match kind.namespaced() {
            true => format!(" from {} namespace", object.namespace()),
            false => String::new(),
        };
        let done = if forced { "force deleted" } else { "deleted" };
        let note = self.dry_run_note()?;
        self.output.out(format!("{resource} \"{}\" {done}{place}{note}\n", object.name()));
        Ok(())
    }
}

/// `pod/web-1`, `deployment.apps/shop`.
pub(crate) fn display_name(kind: Kind, name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 24);
    put_kind(&mut text, kind);
    text.push_str(if name.is_empty() { "<unknown>" } else { name });
    text
}

/// `pod/`, `deployment.apps/`.
pub(crate) fn put_kind(text: &mut String, kind: Kind) {
    text.extend(kind.name().chars().map(|it| it.to_ascii_lowercase()));
    if !kind.group().is_empty() {
        text.push('.');
        text.push_str(kind.group());
    }
    text.push('/');
}
