//! The documents that a user expects to find.

use crate::tree::File;

/// Documents in the root.
const ROOT: [&str; 5] =
    ["ARCHITECTURE.md", "CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT", "README.md"];

/// Ends with the room of the example `chat`.
const TUTORIAL: &str = "crates/net/docs/tutorial.md";

pub(crate) fn check(files: &[File]) -> Vec<String> {
    let text = |path: &str| files.iter().find(|file| file.path == path).map(|file| &*file.text);
    let mut findings = Vec::new();
    for path in ROOT.into_iter().filter(|path| text(path).is_none()) {
        findings.push(format!("{path}: is missing"));
    }
    if let (Some(changes), Some(manifest)) = (text("CHANGELOG.md"), text("Cargo.toml")) {
        findings.extend(changelog(changes, manifest));
    }
    for file in files {
        let Some(folder) = file.path.strip_suffix("/Cargo.toml") else {
            continue;
        };
        let readme = format!("{folder}/README.md");
        if folder.starts_with("crates/") && !text(&readme).is_some_and(tells_something) {
            findings.push(format!("{readme}: is missing, or a heading alone"));
        }
    }
    findings.extend(listings(files));
    if let (Some(chat), Some(tutorial)) = (text("examples/chat.rs"), text(TUTORIAL)) {
        findings.extend(room(chat, tutorial));
    }
    let documents = files.iter().filter(|file| has_links(&file.path));
    findings.extend(documents.flat_map(|document| dead_links(document, files)));
    findings
}

/// The documents whose links are followed.
fn has_links(path: &str) -> bool {
    let crates = path.strip_prefix("crates/").and_then(|rest| rest.strip_suffix("/README.md"));
    let fixed = ["README.md", "ARCHITECTURE.md", "examples/README.md"];
    fixed.contains(&path) || crates.is_some_and(|name| !name.contains('/'))
}

/// Links to files and folders that are not there.
fn dead_links(document: &File, files: &[File]) -> Vec<String> {
    let mut findings = Vec::new();
    for (line, target) in links(&document.text) {
        let path = target.split(['#', '?']).next().unwrap_or_default();
        let is_elsewhere = target.contains("://") || target.starts_with("mailto:");
        if is_elsewhere || path.is_empty() {
            continue;
        }
        let found = resolve(&document.path, path).is_some_and(|path| exists(&path, files));
        if !found {
            let place = format!("{}:{line}", document.path);
            findings.push(format!("{place}: links to {target}, which does not exist"));
        }
    }
    findings
}

/// The targets of links and images with their lines, outside of code: `[text](target "title")`,
/// and `[name]: target` at the start of a line.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut links = Vec::new();
    let mut is_code = false;
    for (at, line) in text.lines().enumerate() {
        let start = line.trim_start();
        let is_fence = start.starts_with("```") || start.starts_with("~~~");
        is_code ^= is_fence;
        if is_code || is_fence {
            continue;
        }
        let inline = line.match_indices("](").filter_map(|(open, _)| {
            // After an odd number of backquotes stands code.
            let is_text = line[..open].matches('`').count().is_multiple_of(2);
            let target = line[open + 2..].split(')').next();
            target.filter(|_| is_text)
        });
        let defined = start
            .strip_prefix('[')
            .and_then(|rest| rest.split_once("]: "))
            .map(|(_, target)| target);
        let targets = inline.chain(defined);
        links.extend(targets.filter_map(|target| {
            let target = target.split_whitespace().next()?;
            Some((at + 1, target.trim_matches(['<', '>'])))
        }));
    }
    links
}

/// The path from the root that `target` means in `document`; none if it leaves the root.
fn resolve(document: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = document.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => (),
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// Whether it is a file, or a folder of one, or the root.
fn exists(path: &str, files: &[File]) -> bool {
    let starts = |file: &File| {
        let rest = file.path.strip_prefix(path);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    path.is_empty() || files.iter().any(starts)
}

/// What the examples' README shows in Rust stands in the examples, line for line.
fn listings(files: &[File]) -> Vec<String> {
    let examples = |file: &&File| file.path.starts_with("examples/") && file.path.ends_with(".rs");
    let programs: Vec<&File> = files.iter().filter(examples).collect();
    let readme = files.iter().find(|file| file.path == "examples/README.md");
    let blocks = readme.into_iter().flat_map(|file| file.text.split("```rust\n").skip(1));
    let mut findings = Vec::new();
    for block in blocks {
        let listing = block.split("```").next().unwrap_or_default();
        if !programs.iter().any(|program| program.text.contains(listing)) {
            let first = listing.lines().next().unwrap_or_default();
            findings.push(format!("examples/README.md: no program has the listing at {first:?}"));
        }
    }
    findings
}

/// The tutorial shows the room as the example has it, but for its visibility.
fn room(chat: &str, tutorial: &str) -> Option<String> {
    let private = chat.replace("pub(crate) ", "");
    let (_, rest) = private.split_once("const LINES").unwrap_or(("", &private));
    let (room, _) = rest.split_once("async fn serve").unwrap_or((rest, ""));
    let is_same = tutorial.contains(room.trim());
    (!is_same).then(|| format!("{TUTORIAL}: the room is not that of examples/chat.rs"))
}

/// The newest section is either for what is not released yet, or for the version in the manifest.
fn changelog(changes: &str, manifest: &str) -> Option<String> {
    let version = manifest.lines().find_map(|line| line.strip_prefix("version = "));
    let version = version.unwrap_or_default().trim_matches('"');
    let newest = changes.lines().find_map(|line| line.strip_prefix("## ")).unwrap_or_default();
    let name = newest.trim_start_matches('[');
    let current =
        name.starts_with("Unreleased") || !version.is_empty() && name.starts_with(version);
    (!current).then(|| format!("CHANGELOG.md: no section Unreleased or {version} comes first"))
}

fn tells_something(readme: &str) -> bool {
    readme.lines().any(|line| !line.is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "[workspace.package]\nversion = \"0.1.0\"\n";

    #[test]
    fn the_changelog_speaks_of_now() {
        for good in ["# Changes\n\n## Unreleased\n", "## [Unreleased]\n", "## 0.1.0 - today\n"] {
            assert_eq!(changelog(good, MANIFEST), None, "{good}");
        }
        for bad in ["", "# Changes\n", "## 0.0.9\n\n## 0.1.0\n"] {
            assert!(changelog(bad, MANIFEST).is_some(), "{bad}");
        }
        assert!(changelog("## 0.1.0\n", "[workspace]\n").is_some(), "no version to compare with");
    }

    #[test]
    fn every_crate_tells_what_it_is() {
        let file = |path: &str, text: &str| File { path: path.into(), text: text.into() };
        let mut files: Vec<File> = ROOT.iter().map(|path| file(path, "## Unreleased")).collect();
        files.push(file("crates/a/Cargo.toml", ""));
        let readme = "crates/a/README.md: is missing, or a heading alone";
        assert_eq!(check(&files), [readme]);
        files.push(file("crates/a/README.md", "# a\n\n"));
        assert_eq!(check(&files), [readme]);
        files.last_mut().unwrap().text.push_str("It counts.\n");
        assert!(check(&files).is_empty());
    }

    #[test]
    fn listings_stand_in_the_programs() {
        let file = |path: &str, text: &str| File { path: path.into(), text: text.into() };
        let readme = "```py\nignored\n```\n```rust\nlet a = 1;\n```\n";
        let readme = file("examples/README.md", readme);
        let finding = "examples/README.md: no program has the listing at \"let a = 1;\"";
        assert_eq!(listings(&[readme, file("examples/a.rs", "let a = 2;\n")]), [finding]);
        let readme = file("examples/README.md", "```rust\nlet a = 1;\n```\n");
        assert!(listings(&[readme, file("examples/a.rs", "let a = 1;\nend")]).is_empty());
    }

    #[test]
    fn the_room_is_the_same_in_both_places() {
        let chat = "use a;\n\nconst LINES: usize = 64;\n\npub(crate) struct Room;\n\nasync fn serve() {}\n";
        assert_eq!(room(chat, "```\nconst LINES: usize = 64;\n\nstruct Room;\n```\n"), None);
        assert!(room(chat, "```\nconst LINES: usize = 65;\n\nstruct Room;\n```\n").is_some());
        assert!(room("nothing of it", "struct Room;").is_some());
    }

    #[test]
    fn links_lead_somewhere() {
        let file = |path: &str, text: &str| File { path: path.into(), text: text.into() };
        let found = |path: &str, text: &str| {
            let document = file(path, text);
            let others = [file("crates/a/src/lib.rs", ""), file("README.md", "")];
            dead_links(&document, &others)
        };
        for good in [
            "[a](crates/a), [a](crates/a/), [`lib`](crates/a/src/lib.rs#L1 \"why\")",
            "[b](https://b.example/gone.rs), [c](#heading), [d](mailto:d@e.example)",
            "`[code](gone.rs)`",
            "```\n[code](gone.rs)\n```\n",
            "[a]: <crates/a>",
        ] {
            assert!(found("README.md", good).is_empty(), "{good}");
        }
        for bad in [
            "[a](gone.rs)",
            "[a](crates/a/src/lib)",
            "![a](gone.png)",
            "[a]: gone.rs",
            "[a](../README.md)",
            "```\n```\n[`a`](README.md) [b](gone.rs \"why\")",
        ] {
            assert_eq!(found("README.md", bad).len(), 1, "{bad}");
        }
        assert_eq!(
            found("crates/a/README.md", "\n[a](src/lib.rs) [b](src/gone.rs#L1)"),
            ["crates/a/README.md:2: links to src/gone.rs#L1, which does not exist"]
        );
        assert!(found("crates/a/README.md", "[up](../../README.md)").is_empty());
    }

    #[test]
    fn the_links_of_these_documents_are_followed() {
        for path in ["README.md", "examples/README.md", "crates/a/README.md"] {
            assert!(has_links(path), "{path}");
        }
        assert!(!has_links("CHANGELOG.md"));
        assert!(!has_links("crates/a/tests/README.md"));
        let files = [File { path: "README.md".into(), text: "[a](gone.rs)".into() }];
        let finding = "README.md:1: links to gone.rs, which does not exist".to_owned();
        assert!(check(&files).contains(&finding));
    }

    #[test]
    fn a_missing_document_is_named() {
        let findings = check(&[]);
        assert!(findings.contains(&"LICENSE-MIT: is missing".to_owned()), "{findings:?}");
    }
}
