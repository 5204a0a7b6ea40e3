//! The toolchain's own checks: format, lints, documentation.

use std::process::Command;

use crate::cargo::cargo;
use crate::report::Report;

/// The sets of features that a user may choose, as arguments.
const FEATURES: [(&str, &[&str]); 4] = [
    ("default features", &["--workspace"]),
    ("all features", &["--workspace", "--all-features"]),
    ("gen without features", &["--package", "gen", "--no-default-features"]),
    ("net without programs", &["--package", "net", "--no-default-features"]),
];

/// Formats nothing and builds no program: it only looks.
pub(crate) fn run(report: &mut Report) {
    report.command("rustfmt", cargo(&["fmt", "--all", "--check"]));
    for (name, features) in FEATURES {
        report.command(&format!("clippy, {name}"), clippy(features));
    }
    for (name, features) in FEATURES {
        report.command(&format!("rustdoc, {name}"), rustdoc(features));
    }
}

fn clippy(features: &[&str]) -> Command {
    let mut command = cargo(&["clippy", "--quiet"]);
    // A crate's tests may need its default features; what is built without them is the library.
    let targets = if features.contains(&"--workspace") { "--all-targets" } else { "--lib" };
    command.arg(targets).args(features).args(["--", "--deny", "warnings"]);
    command
}

/// As users see it: a public item that links to a private one is a broken link to them.
fn rustdoc(features: &[&str]) -> Command {
    let mut command = cargo(&["doc", "--quiet", "--no-deps"]);
    command.args(features).env("RUSTDOCFLAGS", "--deny warnings");
    command
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::output;

    /// Runs the formatter over a file that is out of shape.
    #[test]
    fn a_misformatted_file_is_refused() {
        let folder = std::env::temp_dir().join(format!("xtask-format-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("bad.rs");
        std::fs::write(&file, "fn  f( ){}\n").unwrap();
        let mut command = Command::new("rustfmt");
        command.arg("--check").arg(&file);
        let result = output(command);
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(result.unwrap_err().to_string().contains("Diff in"));
    }

    #[test]
    fn warnings_are_denied() {
        assert!(format!("{:?}", clippy(&["-p", "gen"])).ends_with(r#""--deny" "warnings""#));
        let rustdoc = rustdoc(&["-p", "gen"]);
        assert!(rustdoc.get_envs().any(|(_, value)| value.is_some_and(|v| v == "--deny warnings")));
    }
}
