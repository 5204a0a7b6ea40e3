//! The arguments of a server program.

use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use lexopt::prelude::{Long, Short, ValueExt};

use super::{Complaint, Program};
use crate::{Backend, MAX_THREADS};

/// What the arguments ask for.
#[derive(Debug)]
pub(super) enum Command {
    Serve(Arguments),
    Print(String),
}

/// How to serve.
#[derive(Debug)]
pub(super) struct Arguments {
    /// The address as it was given.
    pub(super) address: String,
    /// What it stands for, IPv4 first.
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) backend: Option<Backend>,
    pub(super) max_connections: Option<usize>,
    pub(super) idle_timeout: Option<Duration>,
    pub(super) threads: usize,
    pub(super) quiet: bool,
    /// Whether HTTP is spoken, by a program that can.
    pub(super) http: bool,
}

pub(super) fn parse(program: &Program, mut parser: lexopt::Parser) -> Result<Command, Complaint> {
    let mut address = program.address.to_owned();
    let (mut backend, mut max_connections, mut idle_timeout) = (None, None, None);
    let (mut threads, mut quiet, mut http) = (1, false, false);
    while let Some(argument) = parser.next().map_err(Complaint::usage)? {
        match argument {
            Long("addr") => address = text(&mut parser)?,
            Long("backend") => backend = self::backend(&text(&mut parser)?)?,
            Long("max-connections") => max_connections = Some(connections(&text(&mut parser)?)?),
            Long("idle-timeout") => idle_timeout = Some(seconds(&text(&mut parser)?)?),
            Long("threads") => threads = self::threads(&text(&mut parser)?)?,
            Long("http") if program.speaks_http => http = true,
            Short('q') | Long("quiet") => quiet = true,
            Short('h') | Long("help") => return Ok(Command::Print(help(program))),
            Short('V') | Long("version") => {
                let version = env!("CARGO_PKG_VERSION");
                return Ok(Command::Print(format!("{} {version}", program.name)));
            }
            other => return Err(Complaint::usage(other.unexpected())),
        }
    }
    let addresses = resolve(&address)?;
    Ok(Command::Serve(Arguments {
        address,
        addresses,
        backend,
        max_connections,
        idle_timeout,
        threads,
        quiet,
        http,
    }))
}

fn text(parser: &mut lexopt::Parser) -> Result<String, Complaint> {
    parser.value().and_then(ValueExt::string).map_err(Complaint::usage)
}

fn backend(name: &str) -> Result<Option<Backend>, Complaint> {
    match name {
        "auto" => Ok(None),
        name => name.parse().map(Some).map_err(Complaint::usage),
    }
}

fn connections(text: &str) -> Result<usize, Complaint> {
    match text.parse() {
        Ok(connections @ 1..) => Ok(connections),
        _ => Err(Complaint::usage(format!(
            "--max-connections takes a whole number from 1, not {text:?}"
        ))),
    }
}

fn threads(text: &str) -> Result<usize, Complaint> {
    match text.parse() {
        Ok(threads @ 1..=MAX_THREADS) => Ok(threads),
        _ => Err(Complaint::usage(format!(
            "--threads takes a whole number from 1 to {MAX_THREADS}, not {text:?}"
        ))),
    }
}

fn seconds(text: &str) -> Result<Duration, Complaint> {
    let seconds = text.parse().ok().filter(|seconds| *seconds > 0.0);
    seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).ok_or_else(|| {
        Complaint::usage(format!(
            "--idle-timeout takes seconds, such as 60 or 0.5, more than none, not {text:?}"
        ))
    })
}

/// Names are looked up once, before the loop runs.
fn resolve(address: &str) -> Result<Vec<SocketAddr>, Complaint> {
    let unknown = |error: std::io::Error| {
        let form = "--addr takes HOST:PORT, such as 127.0.0.1:5001 or [::1]:5001";
        Complaint::usage(format!("cannot listen on {address:?}: {error}; {form}"))
    };
    let mut addresses: Vec<SocketAddr> = address.to_socket_addrs().map_err(unknown)?.collect();
    addresses.sort_by_key(SocketAddr::is_ipv6);
    Ok(addresses)
}

fn help(program: &Program) -> String {
    let Program { name, about, address, speaks_http } = program;
    let http = if *speaks_http { HTTP_HELP } else { "" };
    let backends: Vec<String> = Backend::available().iter().map(ToString::to_string).collect();
    format!(
        "{name}: {about}\n\n\
         Usage: {name} [OPTIONS]\n\n\
         Options:\n      \
         --addr HOST:PORT      where to listen [{address}]; port 0 takes a free one\n      \
         --backend NAME        how to wait: auto, {} [auto]\n      \
         --max-connections N   connections held at a time; further ones wait [{}]\n      \
         --idle-timeout SECS   close connections that are idle for so long [never]\n      \
         --threads N           threads, each with a loop and its share of connections [1]\n{http}  \
         -q, --quiet               do not print who connects\n  \
         -h, --help                print this\n  \
         -V, --version             print the version\n\n\
         Ctrl-C or SIGTERM lets connections finish for up to {:?}, idle ones for {:?}; a second one\n\
         ends it at once.",
        backends.join(", "),
        crate::MAX_CONNECTIONS,
        crate::GRACE,
        super::IDLE_GRACE,
    )
}

const HTTP_HELP: &str = "      --http                answer HTTP/1.1 requests\n";

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: Program =
        Program { name: "test", about: "tests", address: "127.0.0.1:1", speaks_http: true };

    fn parsed(arguments: &[&str]) -> Result<Command, String> {
        parse(&PROGRAM, lexopt::Parser::from_args(arguments)).map_err(|complaint| complaint.message)
    }

    fn serve(arguments: &[&str]) -> Arguments {
        match parsed(arguments) {
            Ok(Command::Serve(arguments)) => arguments,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn without_arguments_the_defaults_stand() {
        let arguments = serve(&[]);
        assert_eq!(arguments.addresses, ["127.0.0.1:1".parse().unwrap()]);
        assert_eq!((arguments.backend, arguments.max_connections), (None, None));
        assert_eq!((arguments.idle_timeout, arguments.quiet), (None, false));
        assert_eq!(arguments.threads, 1);
        assert!(!arguments.http);
    }

    #[test]
    fn every_option_is_taken() {
        let arguments = serve(&[
            "--addr",
            "[::1]:7",
            "--backend=poll",
            "--max-connections",
            "12",
            "--threads",
            "4",
            "-q",
            "--http",
        ]);
        assert_eq!(arguments.addresses, ["[::1]:7".parse().unwrap()]);
        assert_eq!((arguments.backend, arguments.max_connections), (Some(Backend::Poll), Some(12)));
        assert!(arguments.quiet && arguments.http);
        assert_eq!(arguments.threads, 4);
    }

    #[test]
    fn seconds_may_be_fractions() {
        for (text, milliseconds) in [("60", 60_000), ("0.5", 500), (".25", 250), ("1e1", 10_000)] {
            let arguments = serve(&["--idle-timeout", text]);
            assert_eq!(arguments.idle_timeout, Some(Duration::from_millis(milliseconds)));
        }
    }

    #[test]
    fn what_is_not_understood_is_named_in_one_line() {
        for (arguments, named) in [
            (&["--adr", "x"][..], "--adr"),
            (&["--addr", "nowhere"], "HOST:PORT"),
            (&["--addr"], "--addr"),
            (&["--backend", "magic"], "magic"),
            (&["--max-connections", "0"], "from 1"),
            (&["--threads", "0"], "from 1 to 1024"),
            (&["--threads", "1025"], "from 1 to 1024"),
            (&["--threads", "-1"], "from 1 to 1024"),
            (&["--threads", "two"], "\"two\""),
            (&["--idle-timeout", "0"], "more than none"),
            (&["--idle-timeout", "-1"], "more than none"),
            (&["--idle-timeout", "NaN"], "more than none"),
            (&["--idle-timeout", "1e99"], "1e99"),
            (&["--idle-timeout", "soon"], "soon"),
            (&["stray"], "stray"),
        ] {
            let message = parsed(arguments).unwrap_err();
            assert!(message.contains(named), "{arguments:?}: {message}");
            assert_eq!(message.lines().count(), 1, "{message}");
        }
    }

    #[test]
    fn a_program_without_http_knows_no_such_option() {
        let program = Program { speaks_http: false, ..PROGRAM };
        let complaint = parse(&program, lexopt::Parser::from_args(["--http"])).unwrap_err();
        assert!(complaint.message.contains("--http"), "{}", complaint.message);
        assert!(!help(&program).contains("--http"));
    }

    #[test]
    fn help_names_every_option() {
        let Ok(Command::Print(help)) = parsed(&["--help"]) else { panic!() };
        let options = ["--addr", "--backend", "--max-connections", "--idle-timeout", "--quiet"];
        for option in options.into_iter().chain(["--threads", "--version", "--http"]) {
            assert!(help.contains(option), "{option}");
        }
        assert!(help.lines().all(|line| line.len() <= 100), "{help}");
    }
}
