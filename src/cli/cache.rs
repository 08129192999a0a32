//! The folder of what is measured or compiled once.

use std::path::PathBuf;

/// Names the folder, if it is not to lie in the user's cache folder.
pub(super) const VARIABLE: &str = "KINETOGRAPH_CACHE";

/// The folder; none where no cache folder is known.
pub(super) fn folder() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let caches = || match std::env::consts::OS {
        "windows" => set("LOCALAPPDATA"),
        "macos" => set("HOME").map(|home| home.join("Library/Caches")),
        _ => set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache"))),
    };
    set(VARIABLE).or_else(|| caches().map(|c| c.join("kinetograph")))
}
