//! The files of the workspace.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A text file; its path is relative to the root and uses `/` on every system.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// The root of the workspace: the folder above this crate.
pub(crate) fn root() -> PathBuf {
    let mut path = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    path.pop();
    path
}

/// Every text file that belongs to the project.
///
/// The tree is walked, not asked from git: what was downloaded as an archive is checked just the same.
pub(crate) fn files() -> io::Result<Vec<File>> {
    let mut files = Vec::new();
    walk(&root(), "", &mut files)?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn walk(folder: &Path, prefix: &str, files: &mut Vec<File>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        if entry.file_type()?.is_dir() {
            if !foreign(&path) {
                walk(&entry.path(), &format!("{path}/"), files)?;
            }
        } else if let Ok(text) = fs::read_to_string(entry.path()) {
            files.push(File { path, text });
        }
    }
    Ok(())
}

/// Folders that hold no work of ours.
fn foreign(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let ours = matches!(name, ".cargo" | ".ci" | ".github");
    name.starts_with("target") || name == "__pycache__" || (name.starts_with('.') && !ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_holds_sources_and_nothing_built() {
        let files = files().unwrap();
        let has = |path: &str| files.iter().any(|file| file.path == path);
        assert!(has("xtask/src/tree.rs"));
        assert!(has("Cargo.toml"));
        assert!(files.iter().all(|file| !file.path.starts_with("target/")));
        assert!(files.iter().all(|file| !file.path.starts_with(".git/")));
    }

    #[test]
    fn foreign_folders_are_known_by_name() {
        assert!(foreign("target"));
        assert!(foreign("target-loom"));
        assert!(foreign(".git"));
        assert!(foreign("examples/__pycache__"));
        assert!(!foreign(".github"));
        assert!(!foreign("crates/net"));
    }
}
