//! What runs for Windows without Windows: programs linked by MinGW, under wine.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::targets::Toolchain;
use crate::cargo::{executables, suites};
use crate::load;
use crate::report::{Failure, Report, output};
use crate::server::Server;
use crate::tool::{MINGW, Tool};
use crate::tree;

pub(super) const TARGET: &str = "x86_64-pc-windows-gnu";

/// The crates whose suites run.
const CRATES: [&str; 4] = ["gen", "sched", "poll", "net"];

/// Tests that ask for a reset to be told. wine reads the error of a connection to learn that there is
/// one, which clears it, and what comes then looks like an orderly end; Windows says WSAECONNRESET.
const NOT_UNDER_WINE: [&str; 1] = ["a_reset_by_the_peer_is_an_error_of_the_read_that_waits"];

/// What clients ask of hello: so many connections, each so often.
const CONNECTIONS: usize = 50;
const ROUNDS: usize = 20;

/// The suites of each crate, and hello with clients of this system.
pub(super) fn run(report: &mut Report, target: &str, name: &str, toolchain: Toolchain) {
    if ![Tool::Mingw, Tool::Wine].into_iter().all(|tool| report.has(tool, name)) {
        return;
    }
    let Some(wine) = report.value("set up wine", Wine::new) else {
        return;
    };
    for package in CRATES {
        let mut build = toolchain.cargo("test", target);
        build.args(["--no-run", "--package", package, "--lib", "--tests"]);
        report.step(&format!("{name}: {package}"), || {
            let folder = tree::root().join("crates").join(package);
            suites(build)?.iter().try_for_each(|suite| wine.test(suite, &folder))
        });
    }
    let mut build = toolchain.cargo("build", target);
    build.args(["--package", "net", "--bin", "hello"]);
    report.step(&format!("{name}: hello"), || {
        let program = executables(build)?.pop().ok_or("no executable was built")?;
        let mut hello = wine.command(&program);
        hello.args(["--addr", "127.0.0.1:0"]);
        let server = Server::start(hello)?;
        load::run(server.address(), load::HELLO, CONNECTIONS, ROUNDS).map(drop)
    });
}

/// An installation of wine of our own; what still runs in it ends when this is dropped.
struct Wine {
    prefix: PathBuf,
}

impl Wine {
    /// Makes the installation, if it is not there, with the library that older ones lack.
    fn new() -> Result<Wine, Failure> {
        let wine = Wine { prefix: tree::root().join("target/targets/wine") };
        fs::create_dir_all(&wine.prefix)?;
        // What they start lives on, and would keep open the output of whoever was the first to need
        // it. So this is before the suites, without an output, and lasts longer than between two.
        wine.end();
        quietly(wine.server("--persistent=60"))?;
        quietly(wine.command("wineboot"))?;
        let library = wine.prefix.join("drive_c/windows/system32/bcryptprimitives.dll");
        if !library.exists() {
            let source = tree::root().join("xtask/src/check/wine/bcryptprimitives.c");
            let mut compiler = Command::new(MINGW);
            compiler.arg("-shared").arg("-o").arg(library).arg(source).arg("-ladvapi32");
            output(compiler)?;
        }
        Ok(wine)
    }

    /// The process that all programs of this installation share.
    fn server(&self, argument: &str) -> Command {
        let mut server = Command::new("wineserver");
        server.arg(argument).env("WINEPREFIX", &self.prefix);
        server
    }

    /// Ends all that runs in this installation, of an earlier run that was interrupted too, and
    /// returns when it has ended.
    fn end(&self) {
        // Both fail where nothing runs, which is as well.
        let _ = quietly(self.server("--kill"));
        let _ = quietly(self.server("--wait"));
    }

    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("wine");
        command.arg(program).env("WINEPREFIX", &self.prefix).env("WINEDEBUG", "-all");
        command
    }

    /// Runs the tests of one program, but those that wine is known to fail, where cargo would.
    fn test(&self, suite: &Path, folder: &Path) -> Result<(), Failure> {
        let mut command = self.command(suite);
        command.current_dir(folder);
        command.args(NOT_UNDER_WINE.iter().flat_map(|test| ["--skip", test]));
        output(command).map(drop)
    }
}

impl Drop for Wine {
    fn drop(&mut self) {
        self.end();
    }
}

/// Runs a command whose output would not end when it does.
fn quietly(mut command: Command) -> Result<(), Failure> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let status = command.status().map_err(|error| format!("{command:?}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}").into()) }
}
