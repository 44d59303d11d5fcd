//! `kubectl edit`.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/cmd/util/editor/editoptions.go`, v1.36.
//! Differs from upstream: no editor is opened; the edited text is the standard input.

use api::sent;

use super::{Next, Session, files, subresource};
use crate::DryRun;
use crate::args::{Flag, switch, value};
use crate::failure::Failure;
use crate::resources;

pub(super) const FLAGS: &[Flag] = &[value("subresource"), switch("output-patch")];

pub(super) fn run(session: &mut Session<'_>) -> Result<Next, Failure> {
    let words = session.args.positional.clone();
    let asked = match session.args.has("filename") {
        true => files::named(session, &words)?,
        false => resources::resolve(&words, &session.query(true))?,
    };
    let part = subresource::asked(session, &asked)?;
    let (objects, failures) = session.find(&asked, true)?;
    Failure::all(failures)?;
    for object in &objects {
        subresource::of(object, &part)?;
    }
    let text = session.client.file("-").unwrap_or_default();
    if text.trim().is_empty() {
        return Err(Failure::text(
            "there is no editor on this command line: change the object with \"kubectl patch\" or \
             \"kubectl apply\", or give the edited YAML as standard input",
        ));
    }
    let input = files::read(&text, "STDIN", true);
    Failure::all(input.failures)?;
    let mut n_edited = 0;
    for item in &input.items {
        let read = item.object(session, "editing")?;
        let key = read.object.object_ref();
        let Some(live) = objects.iter().find(|it| it.object_ref() == key) else {
            return Err(Failure::text("at least one of apiVersion, kind and name was changed"));
        };
        if sent::object_value(live) == sent::object_value(&read.object) {
            continue;
        }
        n_edited += 1;
        let object = match session.dry_run()? {
            Some(DryRun::None) => None,
            _ => session.write(&subresource::replacing(&part, &read.object)?)?,
        };
        session.print(&object.unwrap_or(read.object), "edited")?;
    }
    if n_edited == 0 {
        session.output.err("Edit cancelled, no changes made.\n");
    }
    Ok(Next::Done)
}
