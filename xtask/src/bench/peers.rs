//! Who is measured beside ours, and how each is started.

use std::ffi::OsString;
use std::process::Command;

use Service::{Echo, Hello, Http};

/// What a server does with what it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    /// Answers each read with a line.
    Hello,
    /// Sends back what it read.
    Echo,
    /// Answers each HTTP request with the line.
    Http,
}

/// One way to write the servers.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) services: &'static [Service],
    /// Whether others are divided by it, besides by ours.
    pub(crate) is_base: bool,
    pub(crate) is_quick: bool,
    /// Whether it knows `--threads`.
    pub(crate) has_threads: bool,
    /// The most connections that it can hold, whatever descriptors there are.
    pub(crate) most: usize,
    /// Whether valgrind can run it, and what it counts is the server's own.
    pub(crate) is_native: bool,
}

/// What kind of program it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The project's own `hello` and `echo`.
    Ours,
    /// A program of the workspace below xtask, over this crate; none for what uses the kernel alone.
    Rust {
        program: &'static str,
        over: Option<&'static str>,
    },
    /// As that, with a feature of the same name as the crate; it may not build everywhere.
    Optional {
        program: &'static str,
        over: &'static str,
    },
    /// A script; with an argument and a module that has to be there.
    Python {
        script: &'static str,
        module: Option<&'static str>,
    },
    /// A file of C, over a library that pkg-config knows.
    C {
        source: &'static str,
        library: &'static str,
    },
    Go {
        source: &'static str,
    },
    Nginx,
}

const PLAIN: &[Service] = &[Hello, Echo];

/// A peer that is there wherever the workspace builds.
const fn rust(name: &'static str, program: &'static str, over: Option<&'static str>) -> Peer {
    let kind = Kind::Rust { program, over };
    Peer { is_native: true, ..other(name, kind, PLAIN) }
}

const fn other(name: &'static str, kind: Kind, services: &'static [Service]) -> Peer {
    let (is_base, is_quick, has_threads, is_native) = (false, false, false, false);
    let most = usize::MAX;
    Peer { name, kind, services, is_base, is_quick, has_threads, most, is_native }
}

/// Everybody that serves, in the order of the tables.
pub(crate) const PEERS: [Peer; 14] = [
    Peer {
        is_quick: true,
        has_threads: true,
        is_native: true,
        ..other("ours", Kind::Ours, &[Hello, Echo, Http])
    },
    Peer { is_base: true, is_quick: true, has_threads: true, ..rust("raw", "peer-raw", None) },
    Peer { is_quick: true, ..rust("mio", "peer-mio", Some("mio")) },
    Peer { is_quick: true, has_threads: true, ..rust("tokio", "peer-tokio", Some("tokio")) },
    rust("smol", "peer-smol", Some("smol")),
    other("monoio", Kind::Optional { program: "peer-monoio", over: "monoio" }, PLAIN),
    Peer {
        is_native: true,
        ..other("libuv", Kind::C { source: "libuv_server.c", library: "libuv" }, PLAIN)
    },
    other("go", Kind::Go { source: "go_server.go" }, PLAIN),
    other("asyncio", Kind::Python { script: "asyncio_server.py", module: None }, PLAIN),
    other("uvloop", Kind::Python { script: "asyncio_server.py", module: Some("uvloop") }, PLAIN),
    Peer {
        // select() knows 1,024 descriptors.
        most: 1_000,
        ..other("note", Kind::Python { script: "note_server.py", module: None }, PLAIN)
    },
    Peer { is_base: true, ..other("nginx", Kind::Nginx, &[Http]) },
    Peer { services: &[Http], ..rust("hyper", "peer-hyper", Some("hyper")) },
    Peer { services: &[Http], ..rust("canned", "peer-canned", None) },
];

/// Who is beside ours in the other suites, by the first words of their names.
const ELSEWHERE: [&str; 8] = [
    "async-executor",
    "async-io",
    "corosensei",
    "enum",
    "futuresunordered",
    "genawaiter",
    "polling",
    "python",
];

/// The names that `--peers` takes.
pub(crate) fn known() -> impl Iterator<Item = &'static str> {
    let serving = PEERS.iter().map(|peer| peer.name);
    serving.chain(ELSEWHERE)
}

pub(crate) fn is_known(name: &str) -> bool {
    known().any(|known| known == name)
}

/// A peer that is ready to be started.
#[derive(Debug)]
pub(crate) struct Participant {
    pub(crate) peer: &'static Peer,
    /// The program and its arguments, for each service that it has.
    pub(crate) lines: Vec<(Service, Vec<OsString>)>,
    /// What it stands on and the version of that, where there is something to tell.
    pub(crate) version: Option<String>,
}

impl Participant {
    /// The server with so many threads; nginx needs a configuration besides.
    pub(crate) fn command(&self, service: Service, threads: usize) -> Option<Command> {
        let (_, line) = self.lines.iter().find(|(served, _)| *served == service)?;
        let (program, arguments) = line.split_first()?;
        let mut command = Command::new(program);
        command.args(arguments);
        if threads > 1 {
            command.args(["--threads", &threads.to_string()]);
        }
        Some(command)
    }

    pub(crate) fn serves(&self, service: Service) -> bool {
        self.lines.iter().any(|(served, _)| *served == service)
    }
}

impl Service {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Hello => "hello",
            Echo => "echo",
            Http => "http",
        }
    }
}
