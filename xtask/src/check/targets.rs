//! The workspace, type-checked for systems that this machine is not.

use std::process::Command;

use super::wine;
use crate::report::{Report, output};
use crate::tool::{DEBIAN_CARGO, DEBIAN_RUSTC, Tool};
use crate::tree;

/// The systems that most users have: kqueue, and once more where `libc` names other things; IOCP.
const TARGETS: [&str; 3] = ["x86_64-apple-darwin", "x86_64-unknown-freebsd", wine::TARGET];

/// And with `--all` those with code paths of their own: event ports, without `select`; epoll on a system
/// that is not called Linux. Each takes a minute more.
const FURTHER_TARGETS: [&str; 2] = ["x86_64-unknown-illumos", "aarch64-linux-android"];

/// Where the std of another system comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Toolchain {
    /// rustup has installed it for the compiler that is used anyway.
    Installed,
    /// Debian's compiler builds it from its source.
    Debian,
}

/// Types for each system, then what runs for Windows.
pub(crate) fn run(report: &mut Report) {
    of(report, &TARGETS);
}

/// As [`run`], for further systems too.
pub(crate) fn run_all(report: &mut Report) {
    of(report, &[&TARGETS[..], &FURTHER_TARGETS].concat());
}

fn of(report: &mut Report, targets: &[&str]) {
    let installed = installed();
    let has_source = Tool::Targets.missing().is_none();
    let mut step = |target: &str, name: &str, run: fn(&mut Report, &str, &str, Toolchain)| {
        match Toolchain::choose(target, &installed, has_source) {
            Some(toolchain) => run(report, target, name, toolchain),
            None => _ = report.has(Tool::Targets, name),
        }
    };
    for target in targets {
        step(target, &format!("types for {target}"), types);
    }
    step(wine::TARGET, "windows under wine", wine::run);
}

/// With the default features and with all, for one may stand in the place of the other.
fn types(report: &mut Report, target: &str, name: &str, toolchain: Toolchain) {
    let check = |features: &[&str]| {
        let mut command = toolchain.cargo("check", target);
        command.args(["--workspace", "--all-targets"]).args(features);
        command.env("RUSTFLAGS", "-Dwarnings");
        output(command).map(drop)
    };
    report.step(name, || check(&[]).and_then(|()| check(&["--all-features"])));
}

impl Toolchain {
    /// What is there for `target`, if anything; `has_source` of std from which any is built.
    fn choose(target: &str, installed: &[String], has_source: bool) -> Option<Toolchain> {
        if installed.iter().any(|other| other == target) {
            Some(Toolchain::Installed)
        } else {
            has_source.then_some(Toolchain::Debian)
        }
    }

    /// A command of cargo for `target`, in the root of the workspace. The folder that it builds in
    /// is no other compiler's.
    pub(super) fn cargo(self, command: &str, target: &str) -> Command {
        let (program, folder) = match self {
            Toolchain::Installed => ("cargo", "target/targets/installed"),
            Toolchain::Debian => (DEBIAN_CARGO, "target/targets/debian"),
        };
        let mut cargo = Command::new(program);
        cargo.current_dir(tree::root());
        cargo.args([command, "--quiet", "--target", target, "--target-dir", folder]);
        if self == Toolchain::Debian {
            // Unstable, and allowed by the variable; `test` is for the tests.
            cargo.arg("-Zbuild-std=std,panic_abort,panic_unwind,test");
            cargo.env("RUSTC_BOOTSTRAP", "1").env("RUSTC", DEBIAN_RUSTC);
        }
        cargo
    }
}

/// The systems that rustup has a std for; none where there is no rustup.
fn installed() -> Vec<String> {
    let listed = Command::new("rustup").args(["target", "list", "--installed"]).output();
    triples(&listed.map(|listed| listed.stdout).unwrap_or_default())
}

/// What `rustup target list --installed` prints: one a line.
fn triples(listed: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(listed);
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rustup_lists_is_read_line_by_line() {
        let listed = b"x86_64-apple-darwin\nx86_64-unknown-linux-gnu\r\n\n";
        assert_eq!(triples(listed), ["x86_64-apple-darwin", "x86_64-unknown-linux-gnu"]);
        assert!(triples(b"").is_empty());
    }

    #[test]
    fn an_installed_std_comes_before_one_to_be_built() {
        let installed = triples(b"x86_64-apple-darwin\n");
        let choose = |target, has_source| Toolchain::choose(target, &installed, has_source);
        assert_eq!(choose("x86_64-apple-darwin", true), Some(Toolchain::Installed));
        assert_eq!(choose("x86_64-apple-darwin", false), Some(Toolchain::Installed));
        assert_eq!(choose("x86_64-apple", true), Some(Toolchain::Debian), "not by its beginning");
        assert_eq!(choose("x86_64-unknown-freebsd", false), None);
    }

    #[test]
    fn two_compilers_share_no_folder() {
        let folder = |toolchain: Toolchain| {
            let command = toolchain.cargo("check", "a");
            let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
            let at = arguments.iter().position(|one| one == "--target-dir").unwrap();
            (arguments[at + 1].clone(), command.get_program().to_owned())
        };
        let (one, other) = (folder(Toolchain::Installed), folder(Toolchain::Debian));
        assert!(one.0 != other.0 && one.1 != other.1, "{one:?}, {other:?}");
    }
}
