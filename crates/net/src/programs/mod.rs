//! What the programs `hello` and `echo` share: arguments, signals, a server over a handler, and HTTP.
//!
//! Behind the feature `programs`, so that users of the library do not build it.

mod arguments;
pub mod http;
mod printer;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::driver::raise_descriptor_limit;
use crate::{Cause, EventLoop, Server, Stopper, TcpStream};
use arguments::{Arguments, Command};
use printer::Printer;

/// A server program: what sets it apart from the others.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// Its name.
    pub name: &'static str,
    /// One line on what it does.
    pub about: &'static str,
    /// Where it listens unless told otherwise.
    pub address: &'static str,
    /// Whether it has the option `--http`, with which [`http::serve`] takes the handler's place.
    pub speaks_http: bool,
}

/// How long connections may be idle once a program is to stop: long enough for requests that are on
/// their way. These programs wait to read between two requests only.
const IDLE_GRACE: Duration = Duration::from_secs(1);

/// Where a program says what happens.
#[derive(Clone, Debug)]
struct Output {
    lines: Arc<Printer>,
    failures: Arc<Printer>,
}

/// Why a program ends with a line on standard error.
#[derive(Debug)]
pub(crate) struct Complaint {
    message: String,
    code: u8,
}

impl Program {
    /// Runs the program with the arguments of this process: serves with `handler` until SIGINT or
    /// SIGTERM, then lets connections finish; a second signal ends it at once.
    ///
    /// The exit code is 0 after a graceful end, 1 when it cannot serve, 2 when it does not
    /// understand its arguments, 130 after the second signal.
    pub fn main<H, F>(self, handler: H) -> ExitCode
    where
        H: Fn(TcpStream, SocketAddr) -> F + Clone + Send + 'static,
        F: Future<Output = io::Result<()>> + 'static,
    {
        match arguments::parse(&self, lexopt::Parser::from_env()) {
            Ok(Command::Serve(arguments)) if arguments.http => {
                self.report(self.serve(arguments, http::serve))
            }
            Ok(Command::Serve(arguments)) => self.report(self.serve(arguments, handler)),
            Ok(Command::Print(text)) => self.report(print(&text)),
            Err(complaint) => self.report(Err(complaint)),
        }
    }

    fn serve<H, F>(&self, arguments: Arguments, handler: H) -> Result<(), Complaint>
    where
        H: Fn(TcpStream, SocketAddr) -> F + Clone + Send + 'static,
        F: Future<Output = io::Result<()>> + 'static,
    {
        // Without more descriptors it serves fewer connections, which the server handles.
        let _ = raise_descriptor_limit();
        let event_loop = match arguments.backend {
            Some(backend) => EventLoop::with_backend(backend),
            None => EventLoop::new(),
        };
        let event_loop = event_loop.map_err(|error| {
            Complaint::failed(format!("{error}; --backend auto takes the best there is"))
        })?;
        let output =
            Output { lines: Printer::start(io::stdout()), failures: Printer::start(io::stderr()) };
        output.report_failures_of(&event_loop);
        let served = event_loop.run_until(run(arguments, handler, output.clone()));
        output.lines.finish();
        output.failures.finish();
        served.map_err(|error| Complaint::failed(error.to_string()))?
    }

    fn report(&self, result: Result<(), Complaint>) -> ExitCode {
        let Err(Complaint { message, code }) = result else {
            return ExitCode::SUCCESS;
        };
        complain(&format!("{}: {message}", self.name));
        ExitCode::from(code)
    }
}

impl Output {
    fn report_failures_of(&self, event_loop: &EventLoop) {
        let printer = Arc::clone(&self.failures);
        event_loop.on_failure(move |failure| {
            if !is_goodbye(&failure.cause) {
                printer.line(failure.to_string());
            }
        });
    }
}

impl Complaint {
    /// The arguments were not understood.
    pub(crate) fn usage(message: impl fmt::Display) -> Complaint {
        Complaint { message: format!("{message}; --help shows the options"), code: 2 }
    }

    fn failed(message: String) -> Complaint {
        Complaint { message, code: 1 }
    }
}

async fn run<H, F>(arguments: Arguments, handler: H, output: Output) -> Result<(), Complaint>
where
    H: Fn(TcpStream, SocketAddr) -> F + Clone + Send + 'static,
    F: Future<Output = io::Result<()>> + 'static,
{
    let mut server = bind(&arguments.addresses).map_err(|error| {
        let advice = match error.kind() {
            io::ErrorKind::AddrInUse => "; --addr takes another, with port 0 a free one",
            io::ErrorKind::AddrNotAvailable => "; --addr takes an address of this machine",
            io::ErrorKind::PermissionDenied => "; --addr takes a port from 1024 without privileges",
            _ => "",
        };
        Complaint::failed(format!("cannot listen on {}: {error}{advice}", arguments.address))
    })?;
    stop_on_signals(server.stopper())
        .map_err(|error| Complaint::failed(format!("cannot handle signals: {error}")))?;
    if let Ok(address) = server.local_addr() {
        output.lines.line(format!("Listening on {address}"));
    }
    if !arguments.quiet {
        let lines = Arc::clone(&output.lines);
        server = server.on_connect(move |peer| lines.line(format!("Connection from {peer}")));
    }
    if let Some(connections) = arguments.max_connections {
        server = server.max_connections(connections);
    }
    if let Some(time) = arguments.idle_timeout {
        // A connection whose other side does not read is idle as well.
        server = server.idle_timeout(time).write_timeout(time);
    }
    let server = server.idle_grace(IDLE_GRACE).threads(arguments.threads);
    let server = server.each_loop(move |event_loop| output.report_failures_of(event_loop));
    let served = server.serve(handler).await;
    served.map(drop).map_err(|error| Complaint::failed(format!("cannot serve: {error}")))
}

/// Whether a connection ended because the other side left without a word: no news for a server.
fn is_goodbye(cause: &Cause<'_>) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, TimedOut};
    let Cause::Error(error) = cause else {
        return false;
    };
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| {
        matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | TimedOut)
    })
}

/// Listens on the first of the addresses that can be had.
fn bind(addresses: &[SocketAddr]) -> io::Result<Server> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        match Server::bind(*address) {
            Ok(server) => return Ok(server),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The first signal stops the server, the second ends the process.
fn stop_on_signals(stopper: Stopper) -> Result<(), ctrlc::Error> {
    let asked = AtomicBool::new(false);
    ctrlc::set_handler(move || {
        if asked.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        stopper.stop();
    })
}

fn print(text: &str) -> Result<(), Complaint> {
    use io::Write;
    match writeln!(io::stdout(), "{text}") {
        // Whoever closed standard output early has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Complaint::failed(format!("cannot print: {error}")))
        }
        _ => Ok(()),
    }
}

fn complain(line: &str) {
    use io::Write;
    // There is nowhere else to say that standard error is closed.
    let _ = writeln!(io::stderr(), "{line}");
}
