//! What a text tells the simulated kubelet and it cannot read, at its places.

use std::collections::BTreeMap;

use api::yaml::Document;
use api::{Kind, Object};
use kubelet::annotations::{unread_of_node, unread_of_pod};
use view::{Diagnostic, Severity};

/// A warning for each annotation of a pod, of a template for pods or of a node that is meant for the
/// kubelet and says nothing to it.
pub(crate) fn unread(document: &Document, object: &Object) -> Vec<Diagnostic> {
    let template = match object.kind() {
        Kind::Pod | Kind::Node => {
            let Some(annotations) = &object.meta().annotations else { return vec![] };
            return warnings(document, "", annotations, object.kind());
        }
        Kind::CronJob => "spec.jobTemplate.spec.template.",
        Kind::ReplicaSet | Kind::Deployment | Kind::StatefulSet | Kind::DaemonSet | Kind::Job => {
            "spec.template."
        }
        _ => return vec![],
    };
    let at = format!("/{}metadata/annotations", template.replace('.', "/"));
    let value = document.value();
    let annotations = value.pointer(&at).and_then(|it| serde_json::from_value(it.clone()).ok());
    annotations.map_or_else(Vec::new, |it| warnings(document, template, &it, Kind::Pod))
}

fn warnings(
    document: &Document,
    at: &str,
    annotations: &BTreeMap<String, String>,
    of: Kind,
) -> Vec<Diagnostic> {
    let unread =
        if of == Kind::Node { unread_of_node(annotations) } else { unread_of_pod(annotations) };
    let warning = |(key, why): (&str, String)| {
        let path = format!("{at}metadata.annotations.{key}");
        Diagnostic {
            severity: Severity::Warning,
            code: "annotation".to_owned(),
            span: document.span_of(&path),
            message: format!("{path}: {why}"),
            path,
            hint: None,
            replacement: None,
        }
    };
    unread.into_iter().map(warning).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(u32, u32, &str)]) {
        let documents = api::yaml::read(text).documents;
        let object = documents[0].object().unwrap();
        let found = unread(&documents[0], object);
        let found: Vec<_> = found
            .iter()
            .map(|it| (it.span.start.line, it.span.start.column, it.message.as_str()))
            .collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn a_warning_stands_where_the_annotation_does() {
        let why =
            "\"soon\" is not read; it should be a duration such as 30s or 20s..40s, or infinity";
        let told = "metadata: {annotations: {sim.orrery.dev/duration: soon}}";
        let spec = "spec: {containers: [{name: c}]}";
        check(
            &format!("apiVersion: v1\nkind: Pod\n{told}\n{spec}\n"),
            &[(3, 51, &format!("metadata.annotations.sim.orrery.dev/duration: {why}"))],
        );
        check(
            &format!(
                "apiVersion: batch/v1\nkind: Job\nspec:\n  template:\n    {told}\n    {spec}\n"
            ),
            &[(
                5,
                55,
                &format!("spec.template.metadata.annotations.sim.orrery.dev/duration: {why}"),
            )],
        );
        check(
            "apiVersion: v1\nkind: Node\nmetadata: {annotations: {sim.orrery.dev/failed: 'true'}}\n",
            &[],
        );
        check(&format!("apiVersion: v1\nkind: ConfigMap\n{told}\n"), &[]);
    }
}
