//! The tools that a machine may lack.

use std::path::Path;
use std::process::{Command, Stdio};

/// Something that a step needs besides the stable toolchain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    /// ab, Apache's load generator.
    Ab,
    /// curl, a client for HTTP.
    Curl,
    /// h2load of nghttp2, a load generator for HTTP.
    H2load,
    /// HAProxy, a proxy.
    Haproxy,
    /// nginx, a proxy here.
    Nginx,
    /// MinGW's C compiler, to link programs for Windows.
    Mingw,
    /// A nightly toolchain, for the sanitizers.
    Nightly,
    /// openssl, a client for TLS.
    Openssl,
    /// Python 3, for the twins of the examples.
    Python,
    /// redis-cli and redis-benchmark, which come together.
    Redis,
    /// strace, to count system calls.
    Strace,
    /// What type-checks for other systems: std for them, or its source and a compiler to build it.
    Targets,
    /// valgrind, to count instructions and to see memory errors.
    Valgrind,
    /// wrk, a load generator.
    Wrk,
    /// wine, to run programs for Windows.
    Wine,
}

impl Tool {
    /// Why the tool cannot be used here, if it cannot.
    pub(crate) fn missing(self) -> Option<String> {
        let (program, argument) = match self {
            Tool::Ab => ("ab", "-V"),
            Tool::Curl => ("curl", "-q"),
            Tool::H2load => ("h2load", "-v"),
            Tool::Haproxy | Tool::Nginx if !cfg!(unix) => {
                return Some(format!("{} is used on Unix only", self.name()));
            }
            Tool::Haproxy => ("haproxy", "-v"),
            Tool::Nginx => return self.unless(Command::new("nginx").arg("-v")),
            // To tell its version is no success to it.
            Tool::Wrk => {
                let told = Command::new("wrk").arg("-v").stdin(Stdio::null()).output();
                return told.is_err().then(|| "wrk is not installed".to_owned());
            }
            Tool::Mingw => (MINGW, "-v"),
            Tool::Nightly => ("cargo", "+nightly"),
            // To it, that is a command.
            Tool::Openssl => return self.unless(Command::new("openssl").arg("version")),
            Tool::Python => (PYTHON, "-B"),
            Tool::Redis => ("redis-cli", "--no-raw"),
            Tool::Targets => return std_source_missing(),
            Tool::Strace | Tool::Valgrind if !cfg!(target_os = "linux") => {
                return Some(format!("{} is used on Linux only", self.name()));
            }
            Tool::Strace => ("strace", "-q"),
            Tool::Valgrind => ("valgrind", "-q"),
            // Its options come after the program that it runs.
            Tool::Wine => ("wine", "--version"),
        };
        self.unless(Command::new(program).args([argument, "--version"]))
    }

    /// That it is not there, unless `command` finds it.
    fn unless(self, command: &mut Command) -> Option<String> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let found = command.status().is_ok_and(|status| status.success());
        (!found).then(|| format!("{} is not installed", self.name()))
    }

    /// Whether its absence is a fault: where CI runs, and promises the tool.
    pub(crate) fn expected(self) -> bool {
        let promised = std::env::var("XTASK_TOOLS").ok();
        std::env::var("CI").is_ok_and(|ci| ci == "true") && self.promised(promised.as_deref())
    }

    fn promised(self, tools: Option<&str>) -> bool {
        let default = if cfg!(target_os = "linux") { "python3 strace valgrind" } else { "" };
        tools.unwrap_or(default).split_whitespace().any(|tool| tool == self.name())
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Tool::Ab => "ab",
            Tool::Curl => "curl",
            Tool::H2load => "h2load",
            Tool::Haproxy => "haproxy",
            Tool::Nginx => "nginx",
            Tool::Mingw => "mingw",
            Tool::Nightly => "nightly",
            Tool::Openssl => "openssl",
            Tool::Python => "python3",
            Tool::Redis => "redis-cli",
            Tool::Strace => "strace",
            Tool::Targets => "targets",
            Tool::Valgrind => "valgrind",
            Tool::Wrk => "wrk",
            Tool::Wine => "wine",
        }
    }
}

/// Why Debian's packages cannot build std for other systems here, if they cannot.
fn std_source_missing() -> Option<String> {
    let command = |program: &str, argument: &str| {
        let result = Command::new(program).arg(argument).stdin(Stdio::null()).output().ok()?;
        result.status.success().then(|| String::from_utf8_lossy(&result.stdout).into_owned())
    };
    let missing = "no std of another system, nor Debian's cargo-web, rustc-web and rust-web-src";
    let found = command(DEBIAN_CARGO, "--version").zip(command(DEBIAN_RUSTC, "--version"));
    let Some((cargo, rustc)) = found.filter(|_| Path::new(STD_SOURCE).exists()) else {
        return Some(missing.into());
    };
    let oldest = release(env!("CARGO_PKG_RUST_VERSION"));
    let is_new = [&cargo, &rustc].iter().all(|version| release(version) >= oldest);
    (!is_new).then(|| format!("{} is too old", rustc.trim()))
}

/// The release in `rustc 1.95.0 (59807616e 2026-04-14)`, or in a bare `1.95`.
fn release(version: &str) -> Option<(u32, u32)> {
    let number = version.split_whitespace().find(|word| word.starts_with(char::is_numeric))?;
    let mut parts = number.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??))
}

/// Debian's packages of a recent Rust; they need not be what else is found in the path.
pub(crate) const DEBIAN_CARGO: &str = "/usr/bin/cargo";
pub(crate) const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const STD_SOURCE: &str = "/usr/lib/rustlib/src/rust/library/std/Cargo.toml";

/// What MinGW's C compiler for 64-bit Windows is called.
pub(crate) const MINGW: &str = "x86_64-w64-mingw32-gcc";

/// What Python 3 is called; its installer for Windows has no `python3`.
pub(crate) const PYTHON: &str = if cfg!(windows) { "python" } else { "python3" };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_names_its_tools() {
        assert!(Tool::Python.promised(Some("strace python3")));
        assert!(!Tool::Valgrind.promised(Some("strace python3")));
        assert!(!Tool::Strace.promised(Some("")));
        assert_eq!(Tool::Valgrind.promised(None), cfg!(target_os = "linux"));
        assert!(Tool::Nightly.promised(Some("nightly python3")));
        assert!(!Tool::Nightly.promised(None), "a nightly is promised by name only");
        assert!(Tool::Wine.promised(Some("mingw targets wine")) && !Tool::Wine.promised(None));
    }

    #[test]
    fn releases_are_compared_by_number() {
        assert_eq!(release("rustc 1.95.0 (59807616e 2026-04-14)"), Some((1, 95)));
        assert_eq!(release("cargo 1.100.0-nightly"), Some((1, 100)));
        assert_eq!(release("1.95"), Some((1, 95)));
        assert!(release("rustc 1.9.0") < release("rustc 1.10.0"));
        assert_eq!(release("rustc"), None);
        assert_eq!(release("rustc 1"), None);
    }
}
