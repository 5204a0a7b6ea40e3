//! The tools that a machine may lack.

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
    /// valgrind, to count instructions and to see memory errors.
    Valgrind,
    /// wrk, a load generator.
    Wrk,
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
            Tool::Nightly => ("cargo", "+nightly"),
            // To it, that is a command.
            Tool::Openssl => return self.unless(Command::new("openssl").arg("version")),
            Tool::Python => (PYTHON, "-B"),
            Tool::Redis => ("redis-cli", "--no-raw"),
            Tool::Strace | Tool::Valgrind if !cfg!(target_os = "linux") => {
                return Some(format!("{} is used on Linux only", self.name()));
            }
            Tool::Strace => ("strace", "-q"),
            Tool::Valgrind => ("valgrind", "-q"),
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
            Tool::Nightly => "nightly",
            Tool::Openssl => "openssl",
            Tool::Python => "python3",
            Tool::Redis => "redis-cli",
            Tool::Strace => "strace",
            Tool::Valgrind => "valgrind",
            Tool::Wrk => "wrk",
        }
    }
}

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
    }
}
