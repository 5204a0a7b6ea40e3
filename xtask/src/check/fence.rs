//! Where `unsafe` may stand: in the files of one list, and nowhere else.

use crate::source::Source;
use crate::tree::File;

/// The files that may hold `unsafe`. ARCHITECTURE.md names each, and why it needs it.
const FENCED: &[&str] = &[
    "crates/gen/src/airlock.rs",
    "crates/gen/src/pin.rs",
    "crates/gen/tests/allocations.rs",
    "crates/gen/tests/no_std/program.rs",
    "crates/net/src/chunk.rs",
    "crates/net/tests/allocations.rs",
    "crates/poll/src/backend/epoll_wait.rs",
    "crates/poll/src/backend/native.rs",
    "crates/poll/src/backend/select.rs",
    "crates/poll/tests/allocation.rs",
    "crates/poll/tests/contract/faults.rs",
    "crates/poll/tests/process.rs",
    "crates/sched/src/prefetch.rs",
    "crates/sched/src/turn.rs",
    "crates/sched/src/waker.rs",
    "crates/sched/tests/memory.rs",
    "xtask/bench/micro/src/bin/poll/polling.rs",
];

/// The document, and its section, whose table says the same.
const LIST: &str = "ARCHITECTURE.md";
const HEADING: &str = "## The unsafe fence";

pub(crate) fn check(files: &[File], sources: &[Source]) -> Vec<String> {
    let architecture = files.iter().find(|file| file.path == LIST);
    inspect(FENCED, architecture.map_or("", |file| &file.text), sources)
}

fn inspect(fenced: &[&str], architecture: &str, sources: &[Source]) -> Vec<String> {
    let told = told(architecture);
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| !fenced.contains(&source.path.as_str())) {
        for line in source.lines_of("unsafe") {
            findings.push(format!("{}:{line}: `unsafe` outside the fenced files", source.path));
        }
        if source.allows("unsafe_code") {
            findings.push(format!("{}: allows unsafe code outside the fence", source.path));
        }
    }
    for path in fenced {
        let source = sources.iter().find(|source| source.path == *path);
        if source.is_none_or(|source| source.lines_of("unsafe").is_empty()) {
            findings.push(format!("{path}: is fenced and holds no `unsafe`; take it off the list"));
        }
        if !told.contains(path) {
            findings.push(format!("{path}: is fenced and {LIST} does not name it"));
        }
    }
    for path in told {
        if !fenced.contains(&path) {
            findings.push(format!("{LIST}: names {path}, which is not fenced"));
        }
        if !sources.iter().any(|source| source.path == path) {
            findings.push(format!("{LIST}: names {path}, which does not exist"));
        }
    }
    findings
}

/// The files that the first column of the document's table names.
fn told(architecture: &str) -> Vec<&str> {
    let section = architecture
        .lines()
        .skip_while(|line| *line != HEADING)
        .skip(1)
        .take_while(|line| !line.starts_with("## "));
    let cells = section.filter_map(|line| line.strip_prefix('|')?.split('|').next());
    // What stands between two backquotes is every second piece.
    let quoted = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    quoted.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNSAFE: &str = "fn f() { unsafe { g() } }";

    /// A document whose table has these rows.
    fn table(rows: &str) -> String {
        format!(
            "see `other.rs`\n\n{HEADING}\n\n| file | why |\n|---|---|\n{rows}\n\n## Sizes\n| `x` | |"
        )
    }

    #[test]
    fn unsafe_stands_in_listed_files_only() {
        let source = [Source::new("a.rs", UNSAFE)];
        assert!(inspect(&["a.rs"], &table("| `a.rs` | |"), &source).is_empty());
        assert_eq!(inspect(&[], "", &source), ["a.rs:1: `unsafe` outside the fenced files"]);
    }

    #[test]
    fn only_fenced_files_allow_it() {
        let source = [Source::new("a.rs", "#![allow(unsafe_code)]")];
        assert_eq!(inspect(&[], "", &source).len(), 1);
    }

    #[test]
    fn the_list_is_true_and_told() {
        let source = [Source::new("a.rs", UNSAFE), Source::new("b.rs", "fn f() {}")];
        let findings = inspect(&["a.rs", "b.rs"], &table("| `b.rs` | not `a.rs` |"), &source);
        assert_eq!(findings.len(), 2, "{findings:?}");
        assert!(findings[0].contains("a.rs: is fenced and ARCHITECTURE.md"));
        assert!(findings[1].contains("b.rs: is fenced and holds no"));
    }

    #[test]
    fn the_document_names_what_is_fenced_and_exists() {
        let source = [Source::new("a.rs", UNSAFE), Source::new("b.rs", "fn f() {}")];
        let told = table("| `a.rs`, `b.rs` | |\n| `gone.rs` | |");
        let findings = inspect(&["a.rs"], &told, &source);
        let expected = [
            "ARCHITECTURE.md: names b.rs, which is not fenced",
            "ARCHITECTURE.md: names gone.rs, which is not fenced",
            "ARCHITECTURE.md: names gone.rs, which does not exist",
        ];
        assert_eq!(findings, expected);
    }
}
