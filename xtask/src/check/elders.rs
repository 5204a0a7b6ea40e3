//! The tables that hold each test of `poll`'s elders against ours.

use crate::tree::File;

/// The folder with a table for each elder.
const FOLDER: &str = "crates/poll/elders/";

/// What a table's last cell begins with where no test of ours is named, before the reason.
const NONE: &str = "None: ";

/// Each row is whole, and each test that it names is there.
pub(crate) fn check(files: &[File]) -> Vec<String> {
    let is_table = |file: &&File| file.path.starts_with(FOLDER) && file.path.ends_with(".md");
    let tables: Vec<&File> = files.iter().filter(is_table).collect();
    if tables.is_empty() {
        return vec![format!("{FOLDER}: there is no table")];
    }
    tables.into_iter().flat_map(|table| inspect(table, files)).collect()
}

fn inspect(table: &File, files: &[File]) -> Vec<String> {
    let mut findings = Vec::new();
    // The elder's tests under the present heading.
    let mut names = Vec::new();
    let mut is_empty = true;
    for (at, line) in table.text.lines().enumerate() {
        if line.starts_with('#') {
            names.clear();
        }
        let Some(cells) = row(line) else {
            continue;
        };
        is_empty = false;
        let name = cells.first().copied().unwrap_or_default();
        let mut wrongs = faults(&cells, files);
        if names.contains(&name) {
            wrongs.push(format!("{name} has a row already"));
        }
        names.push(name);
        findings.extend(wrongs.iter().map(|wrong| format!("{}:{}: {wrong}", table.path, at + 1)));
    }
    if is_empty {
        findings.push(format!("{}: has no rows", table.path));
    }
    findings
}

/// The cells of a table's row; its head and the line below are none. A bar within a cell has a
/// backslash before it.
fn row(line: &str) -> Option<Vec<&str>> {
    let inner = line.strip_prefix('|')?.trim_end().strip_suffix('|')?;
    let mut cells = Vec::new();
    let mut start = 0;
    for (at, _) in inner.match_indices('|').filter(|&(at, _)| !inner[..at].ends_with('\\')) {
        cells.push(inner[start..at].trim());
        start = at + 1;
    }
    cells.push(inner[start..].trim());
    let is_rule =
        cells.iter().all(|cell| !cell.is_empty() && cell.trim_matches(['-', ':']).is_empty());
    (!is_rule && cells[0] != "test").then_some(cells)
}

/// What is wrong with a row.
fn faults(cells: &[&str], files: &[File]) -> Vec<String> {
    let &[_, _, ours] = cells else {
        return vec![format!("{} cells, not the elder's test, its subject and ours", cells.len())];
    };
    let mut wrongs = Vec::new();
    if cells.iter().any(|cell| cell.is_empty()) {
        wrongs.push("an empty cell".to_owned());
    }
    let mut tests = tests(ours).peekable();
    if tests.peek().is_none() && !ours.starts_with(NONE) {
        wrongs.push(format!("neither a test of ours nor \"{}\" and a reason", NONE.trim()));
    }
    wrongs.extend(tests.filter(|test| !exists(test, files)).map(|test| format!("no test {test}")));
    wrongs
}

/// The tests that a cell names: in backquotes, the file below `crates/`, then the function.
fn tests(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2).filter(|code| code.contains("::"))
}

/// Whether the file has the function, and it is a test.
fn exists(test: &str, files: &[File]) -> bool {
    let Some((path, name)) = test.split_once("::") else {
        return false;
    };
    let path = format!("crates/{path}");
    let file = files.iter().find(|file| file.path == path);
    file.is_some_and(|file| has_test(&file.text, name))
}

/// Whether a function of this name follows an attribute `#[test]`, with nothing but attributes
/// between them.
fn has_test(text: &str, name: &str) -> bool {
    let start = format!("fn {name}(");
    let mut is_test = false;
    for line in text.lines().map(str::trim_start) {
        if is_test && line.starts_with(&start) {
            return true;
        }
        is_test = line.starts_with("#[test]") || is_test && line.starts_with("#[");
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "# Elder\n\n## one.py\n\n| test | what it checks | ours |\n|---|---|---|\n";

    fn found(rows: &str) -> Vec<String> {
        let file = |path: &str, text: &str| File { path: path.into(), text: text.into() };
        let code = "#[test]\nfn works() {}\n\nfn helps() {}\n\n    #[test]\n    #[cfg(unix)]\n    \
                    fn works_there(x in 0..3) {}\n";
        let table = file("crates/poll/elders/elder.md", &format!("{HEAD}{rows}"));
        check(&[file("crates/a/tests/b.rs", code), table])
    }

    #[test]
    fn whole_rows_are_fine() {
        for row in [
            "| `a` | a thing | `a/tests/b.rs::works` |\n",
            "| `a` | a \\| thing | `a/tests/b.rs::works`, `a/tests/b.rs::works_there` and more |\n",
            "| `a` | `code` | None: `Thing` cannot be had. |\n",
            "| `a` | it | None: so. |\n\n## two.py\n\n| `a` | it | None: so. |\n",
        ] {
            assert_eq!(found(row), [""; 0], "{row}");
        }
    }

    #[test]
    fn each_fault_is_named_with_its_line() {
        for (rows, expected) in [
            ("| `a` |  | None: so. |\n", "an empty cell"),
            ("|  | it | None: so. |\n", "an empty cell"),
            ("| `a` | it |  |\n", "an empty cell"),
            ("| `a` | it |\n", "2 cells, not the elder's test, its subject and ours"),
            ("| `a` | it | it is so |\n", "neither a test of ours nor \"None:\" and a reason"),
            ("| `a` | it | None: |\n", "neither a test of ours nor \"None:\" and a reason"),
            ("| `a` | it | `a/tests/b.rs::fails` |\n", "no test a/tests/b.rs::fails"),
            ("| `a` | it | `a/tests/b.rs::helps` |\n", "no test a/tests/b.rs::helps"),
            ("| `a` | it | `a/tests/c.rs::works` |\n", "no test a/tests/c.rs::works"),
            ("| `a` | it | `a/tests/b.rs::work` |\n", "no test a/tests/b.rs::work"),
            ("| `a` | it | None: as `a/tests/c.rs::works` |\n", "no test a/tests/c.rs::works"),
        ] {
            let expected = format!("crates/poll/elders/elder.md:7: {expected}");
            assert!(found(rows).contains(&expected), "{rows}: {:?}", found(rows));
        }
        let twice = "| `a` | it | None: so. |\n| `a` | it | None: so. |\n";
        assert_eq!(found(twice), ["crates/poll/elders/elder.md:8: `a` has a row already"]);
    }

    #[test]
    fn a_missing_table_is_a_finding() {
        assert_eq!(found(""), ["crates/poll/elders/elder.md: has no rows"]);
        assert_eq!(check(&[]), ["crates/poll/elders/: there is no table"]);
    }
}
