//! Who may know whom: crates by their manifests, folders by the paths that stand in them.

use serde_json::Value;

use crate::source::{Path, Source};

use Pattern::{Below, Ending, Exactly, From, OfType, Renamed};

/// What a crate may stand on: the only table of it.
struct Layer {
    name: &'static str,
    siblings: &'static [&'static str],
    /// Crates from elsewhere that are built with it; test tools are free.
    foreign: &'static [&'static str],
}

const LAYERS: [Layer; 6] = [
    Layer { name: "gen", siblings: &[], foreign: &[] },
    Layer { name: "sched", siblings: &["gen"], foreign: &["crossbeam-queue", "pin-project-lite"] },
    Layer { name: "poll", siblings: &[], foreign: &["libc", "polling", "rustix", "socket2"] },
    Layer {
        name: "net",
        siblings: &["gen", "poll", "sched"],
        foreign: &[
            "async-channel",
            "ctrlc",
            "futures-core",
            "futures-io",
            "httparse",
            "httpdate",
            "lexopt",
            "pin-project-lite",
            "rustix",
            "socket2",
            "tracing",
        ],
    },
    Layer {
        name: "examples",
        siblings: &["gen", "net", "poll", "sched"],
        foreign: &["async-lock", "futures-lite", "indicatif", "rustix", "socket2"],
    },
    Layer {
        name: "xtask",
        siblings: &[],
        foreign: &["comfy-table", "indicatif", "lexopt", "plotters", "serde_json"],
    },
];

/// Paths that must not stand in a folder, outside its exceptions and outside tests.
struct Fence {
    folder: &'static str,
    except: &'static [&'static str],
    paths: &'static [Pattern],
    reason: &'static str,
}

enum Pattern {
    /// The path and all below it.
    From(&'static str),
    /// What is below the path; the name alone may be that of something else.
    Below(&'static str),
    /// This path only; `.name` is a method.
    Exactly(&'static str),
    /// The path, however much of it is written.
    Ending(&'static str),
    /// An associated function of this name, of whatever type.
    OfType(&'static str),
    /// The name, where it gets another one.
    Renamed(&'static str),
}

const FENCES: [Fence; 3] = [
    Fence {
        folder: "crates/gen/src/",
        except: &[],
        paths: &[From("std")],
        reason: "gen has no std",
    },
    Fence {
        folder: "crates/net/src/",
        except: &["crates/net/src/driver"],
        paths: &[
            Below("poll"),
            From("socket2"),
            From("rustix"),
            Exactly("std::net"),
            Exactly("std::net::*"),
            From("std::net::TcpListener"),
            From("std::net::TcpStream"),
            From("std::net::UdpSocket"),
            Renamed("std"),
            Exactly("std::*"),
            Exactly("std::os"),
            Exactly("std::os::*"),
            Exactly("std::os::fd"),
            Exactly("std::os::fd::*"),
            // What turns a number into a socket; an `OwnedFd` is handed out as it is.
            From("std::os::fd::AsRawFd"),
            From("std::os::fd::FromRawFd"),
            From("std::os::fd::IntoRawFd"),
            From("std::os::fd::RawFd"),
            // Sockets, and `fd` again under the name `io`.
            From("std::os::linux"),
            From("std::os::unix"),
            From("std::os::windows"),
        ],
        reason: "inside net only driver/ touches the operating system",
    },
    Fence {
        folder: "crates/",
        except: &["crates/net/src/driver", "crates/poll/src/deadline.rs"],
        paths: &[
            Ending("Instant::now"),
            Ending("SystemTime::now"),
            // However the clock came by its name.
            OfType("now"),
            Renamed("Instant"),
            Renamed("SystemTime"),
            Exactly(".elapsed"),
        ],
        reason: "only poll's wait and net's driver read a clock",
    },
];

/// Each crate of the workspace depends on those below it only.
pub(crate) fn crates(metadata: &Value) -> Vec<String> {
    let mut findings = Vec::new();
    let packages = metadata["packages"].as_array().map_or(&[][..], Vec::as_slice);
    let local = |name: &str| {
        packages.iter().any(|package| package["name"] == name && package["source"].is_null())
    };
    for package in packages.iter().filter(|package| package["source"].is_null()) {
        let name = package["name"].as_str().unwrap_or_default();
        let Some(layer) = LAYERS.iter().find(|layer| layer.name == name) else {
            findings.push(format!("crate {name} has no place in the table of layers"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let other = dependency["name"].as_str().unwrap_or_default();
            let sibling = local(other);
            let built = dependency["kind"] != "dev";
            let known = if sibling { layer.siblings } else { layer.foreign };
            if (sibling || built) && !known.contains(&other) {
                findings.push(format!("crate {name} must not depend on {other}"));
            }
        }
    }
    findings
}

/// Each folder names only what it may.
pub(crate) fn folders(sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| production(&source.path)) {
        for fence in FENCES.iter().filter(|fence| fence.encloses(&source.path)) {
            for path in source.paths() {
                if fence.paths.iter().any(|pattern| pattern.matches(&path)) {
                    let place = format!("{}:{}", source.path, path.line);
                    findings.push(format!("{place}: {}: {}", path.text, fence.reason));
                }
            }
        }
    }
    findings
}

/// Tests, examples and benchmarks stand outside the layers.
fn production(path: &str) -> bool {
    path.contains("/src/") && !path.ends_with("/tests.rs") && !path.contains("/tests/")
}

impl Fence {
    fn encloses(&self, path: &str) -> bool {
        let exempt = |except: &&str| {
            let rest = path.strip_prefix(*except);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '.']))
        };
        path.starts_with(self.folder) && !self.except.iter().any(exempt)
    }
}

impl Pattern {
    fn matches(&self, path: &Path) -> bool {
        let is_renamed = path.is_renamed;
        let path = path.text.as_str();
        match self {
            From(start) => {
                let rest = path.strip_prefix(start);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
            }
            Below(start) => path.strip_prefix(start).is_some_and(|rest| rest.starts_with("::")),
            Exactly(name) => path == *name,
            Ending(end) => ends(path, end),
            OfType(function) => path
                .strip_suffix(function)
                .and_then(|rest| rest.strip_suffix("::"))
                .is_some_and(names_type),
            Renamed(name) => is_renamed && ends(path, name),
        }
    }
}

/// Whether `end` is the whole path or its last part.
fn ends(path: &str, end: &str) -> bool {
    let rest = path.strip_suffix(end);
    rest.is_some_and(|rest| rest.is_empty() || rest.ends_with("::"))
}

/// Types are told from modules by their first letter, or stand in angle brackets.
fn names_type(path: &str) -> bool {
    let last = path.rsplit("::").next().unwrap_or(path);
    last.starts_with(|first: char| first.is_uppercase() || first == '_')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(path: &str, text: &str) -> usize {
        folders(&[Source::new(path, text)]).len()
    }

    fn dependency(name: &str, other: &str, kind: Option<&str>) -> Value {
        let on = json!([{ "name": other, "kind": kind }]);
        json!({ "packages": [
            { "name": name, "source": null, "dependencies": on },
            { "name": "gen", "source": null, "dependencies": [] },
            { "name": "net", "source": null, "dependencies": [] },
        ] })
    }

    #[test]
    fn a_lower_crate_must_not_know_a_higher_one() {
        assert!(crates(&dependency("sched", "gen", None)).is_empty());
        assert_eq!(crates(&dependency("sched", "net", None)).len(), 1);
        assert_eq!(crates(&dependency("poll", "gen", Some("dev"))).len(), 1);
    }

    #[test]
    fn a_crate_stands_on_what_the_table_says() {
        assert_eq!(crates(&dependency("sched", "tokio", None)).len(), 1);
        assert!(crates(&dependency("sched", "proptest", Some("dev"))).is_empty());
        let findings = crates(&dependency("stranger", "gen", None));
        assert_eq!(findings, ["crate stranger has no place in the table of layers"]);
    }

    #[test]
    fn the_operating_system_is_named_in_the_driver_only() {
        for bad in [
            "use poll::Selector;",
            "fn f() { ::socket2::Socket::new(); }",
            "use std::{io, net::{SocketAddr, TcpStream as Kernel}};",
            "use std::net;",
            "fn f() { std::net::UdpSocket::bind(a); }",
            "fn f() -> rustix::fd::OwnedFd { g() }",
            "fn f() { std::os::unix::net::UnixStream::pair(); }",
            "use std::os::unix::net::UnixStream;",
            "use std::{io, os::unix::net::*};",
            "use std::os::unix as system;",
            "use std::os::linux::net::SocketAddrExt;",
            "use std::os::unix::io::OwnedFd;",
            "use std::os::windows::io::FromRawSocket;",
            "use std::os::fd::{FromRawFd, OwnedFd};",
            "use std::os::fd::IntoRawFd as _;",
            "fn f(socket: std::os::fd::RawFd) {}",
            "fn f() { std::os::fd::AsRawFd::as_raw_fd(a); }",
            "use std::os::fd;",
            "use std::os::fd::*;",
            "use std::os;",
            "use std::os::*;",
            "use std::*;",
            "extern crate std as kernel;",
            "use std as kernel;",
            "use std::{self as kernel};",
        ] {
            assert_eq!(found("crates/net/src/tcp.rs", bad), 1, "{bad}");
            assert_eq!(found("crates/net/src/driver/kernel.rs", bad), 0, "{bad}");
        }
        assert_eq!(found("crates/net/src/drivers.rs", "use poll::Key;"), 1, "another name");
        for good in [
            "use std::net::SocketAddr; fn poll() { Future::poll(x); x.poll(); }",
            "fn descriptor() -> std::os::fd::OwnedFd { driver() }",
        ] {
            assert_eq!(found("crates/net/src/tcp.rs", good), 0, "{good}");
        }
    }

    #[test]
    fn clocks_are_read_in_two_places() {
        for bad in [
            "fn f() { Instant::now(); }",
            "fn f() { t.elapsed(); }",
            "fn f() { SystemTime::now(); }",
            "use std::time::Instant as Clock;",
            "use std::time::{Duration, SystemTime as Clock};",
            "fn f() { Clock::now(); }",
            "fn f() { <std::time::Instant>::now(); }",
            "fn f() { unwrap_or_else(Clock::now); }",
        ] {
            assert_eq!(found("crates/sched/src/lib.rs", bad), 1, "{bad}");
            assert_eq!(found("crates/net/src/driver.rs", bad), 0, "{bad}");
            assert_eq!(found("crates/sched/tests/time.rs", bad), 0, "{bad}");
        }
        assert_eq!(found("crates/net/src/time.rs", "fn f() { std::time::SystemTime::now(); }"), 1);
        let good =
            "use std::time::Instant; fn f(lap: Instant) { time::now(); core.now(); lap as u8 }";
        assert_eq!(found("crates/net/src/time.rs", good), 0);
    }

    #[test]
    fn gen_has_no_std() {
        assert_eq!(found("crates/gen/src/lib.rs", "use std::fmt;"), 1);
        assert_eq!(found("crates/gen/src/lib.rs", "extern crate std;"), 1);
        assert_eq!(found("crates/gen/src/lib.rs", "#[cfg(test)] extern crate std;"), 0);
        assert_eq!(found("crates/gen/src/lib.rs", "use core::fmt;"), 0);
    }
}
