//! How long crates and functions may get.

use crate::source::Source;
use crate::tree::File;

/// A crate's limit in lines of code: without blanks, comments and tests.
struct Limit {
    folder: &'static str,
    /// Files and folders that are not counted, without `.rs`.
    except: &'static [&'static str],
    lines: usize,
}

const LIMITS: [Limit; 4] = [
    Limit { folder: "crates/gen/src/", except: &[], lines: 600 },
    Limit { folder: "crates/sched/src/", except: &[], lines: 1650 },
    Limit { folder: "crates/poll/src/", except: &[], lines: 2000 },
    Limit {
        folder: "crates/net/src/",
        // The programs and the simulation are not what a reader of the loop has to read.
        except: &[
            "crates/net/src/bin",
            "crates/net/src/programs",
            "crates/net/src/sim",
            "crates/net/src/driver/simulation",
        ],
        lines: 7500,
    },
];

/// The longest function, in lines: one screen.
const FUNCTION_LINES: usize = 70;

/// The longest example, in lines with its blanks and comments: a program one would show a friend.
const EXAMPLE_LINES: usize = 80;

/// Each example can be read at one go.
pub(crate) fn examples(files: &[File]) -> Vec<String> {
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| is_example(&file.path)) {
        let lines = file.text.lines().count();
        if lines > EXAMPLE_LINES {
            findings.push(format!("{}: {lines} lines, at most {EXAMPLE_LINES}", file.path));
        }
    }
    findings
}

fn is_example(path: &str) -> bool {
    path.strip_prefix("examples/")
        .is_some_and(|name| name.ends_with(".rs") || name.ends_with(".py"))
}

/// Each crate keeps its limit.
pub(crate) fn crates(sources: &[Source]) -> Vec<String> {
    let test_modules: Vec<String> = sources.iter().flat_map(Source::test_modules).collect();
    let mut findings = Vec::new();
    for limit in &LIMITS {
        let counted = sources.iter().filter(|source| {
            limit.counts(&source.path) && !test_modules.iter().any(|path| is_in(&source.path, path))
        });
        let lines: usize = counted.map(Source::code_lines).sum();
        if lines > limit.lines {
            findings
                .push(format!("{}: {lines} lines of code, at most {}", limit.folder, limit.lines));
        }
    }
    findings
}

/// No function is longer than a screen.
pub(crate) fn functions(sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources {
        for function in source.functions().iter().filter(|f| f.lines > FUNCTION_LINES) {
            let place = format!("{}:{}", source.path, function.line);
            let (name, lines) = (&function.name, function.lines);
            findings.push(format!("{place}: {name} has {lines} lines, at most {FUNCTION_LINES}"));
        }
    }
    findings
}

impl Limit {
    fn counts(&self, path: &str) -> bool {
        path.starts_with(self.folder) && !self.except.iter().any(|except| is_in(path, except))
    }
}

/// Whether the file is the module `module`, or lies in its folder.
fn is_in(file: &str, module: &str) -> bool {
    file.strip_prefix(module).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, lines: usize) -> Source {
        Source::new(path, &"a!();\n".repeat(lines))
    }

    #[test]
    fn a_crate_over_its_limit_is_named() {
        assert!(crates(&[source("crates/gen/src/a.rs", 600)]).is_empty());
        let findings =
            crates(&[source("crates/gen/src/a.rs", 600), source("crates/gen/src/b.rs", 1)]);
        assert_eq!(findings, ["crates/gen/src/: 601 lines of code, at most 600"]);
    }

    #[test]
    fn tests_programs_and_the_simulation_do_not_count() {
        for path in ["crates/gen/tests/a.rs", "crates/net/src/bin/hello.rs"] {
            assert!(crates(&[source(path, 9000)]).is_empty(), "{path}");
        }
        assert!(crates(&[source("crates/net/src/driver/simulation/wire.rs", 9000)]).is_empty());
        assert_eq!(crates(&[source("crates/net/src/driver/simulations.rs", 9000)]).len(), 1);
        let library = Source::new("crates/gen/src/lib.rs", "#[cfg(test)]\nmod oracle;\n");
        assert!(crates(&[library, source("crates/gen/src/oracle.rs", 9000)]).is_empty());
    }

    #[test]
    fn an_example_over_its_limit_is_named() {
        let file = |lines: usize| File { path: "examples/a.rs".into(), text: "\n".repeat(lines) };
        assert!(examples(&[file(80)]).is_empty());
        assert_eq!(examples(&[file(81)]), ["examples/a.rs: 81 lines, at most 80"]);
    }

    #[test]
    fn a_function_longer_than_a_screen_is_named() {
        let function = |lines: usize| format!("fn f() {{\n{}}}\n", "    a!();\n".repeat(lines - 2));
        assert!(functions(&[Source::new("a.rs", &function(70))]).is_empty());
        let findings = functions(&[Source::new("a.rs", &function(71))]);
        assert_eq!(findings, ["a.rs:1: f has 71 lines, at most 70"]);
    }
}
