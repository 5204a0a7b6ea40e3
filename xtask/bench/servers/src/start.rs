//! How each server starts.

use std::fmt;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener};
use std::process::ExitCode;
use std::thread;

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with, sockopt};
use rustix::process::{Resource, getrlimit, setrlimit};

use crate::{Arguments, Failure};

/// Runs a server. One that cannot serve what is asked for says why and ends with 2.
pub fn main(serve: fn(Arguments) -> Result<(), Failure>) -> ExitCode {
    let result = Arguments::parse(lexopt::Parser::from_env()).and_then(|arguments| {
        raise_descriptor_limit()?;
        serve(arguments)
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            if failure.is::<Unavailable>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

/// What this server has not, or this machine.
#[derive(Debug)]
pub struct Unavailable(pub &'static str);

impl fmt::Display for Unavailable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

impl std::error::Error for Unavailable {}

impl Arguments {
    /// Refuses more than one thread.
    ///
    /// # Errors
    ///
    /// More than one thread was asked for.
    pub fn one_thread(self) -> Result<(), Unavailable> {
        if self.threads == 1 { Ok(()) } else { Err(Unavailable("serves on one thread only")) }
    }
}

/// Tells where the server listens: the first line that it prints.
///
/// # Errors
///
/// Those of the output.
pub fn announce(address: SocketAddr) -> io::Result<()> {
    let mut output = io::stdout();
    writeln!(output, "Listening on {address}")?;
    output.flush()
}

/// Where a server listens unless its library says how: a free port of this machine.
pub const ANYWHERE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);

/// Serves on as many threads, each with a listener of its own between which the kernel spreads
/// connections, and tells where.
///
/// # Errors
///
/// Those of listening, and of the first thread.
pub fn on_threads(
    threads: usize,
    serve: impl Fn(TcpListener) -> Result<(), Failure> + Copy + Send + 'static,
) -> Result<(), Failure> {
    let first = listener(ANYWHERE, threads > 1)?;
    let SocketAddr::V4(address) = first.local_addr()? else { unreachable!("it is an IPv4 socket") };
    let others = (1..threads).map(|_| listener(address, true)).collect::<io::Result<Vec<_>>>()?;
    for other in others {
        thread::spawn(move || {
            if let Err(failure) = serve(other) {
                eprintln!("{failure}");
                std::process::exit(1);
            }
        });
    }
    announce(address.into())?;
    serve(first)
}

/// A listener that does not block, with the longest backlog that the system allows.
fn listener(address: SocketAddrV4, shared: bool) -> io::Result<TcpListener> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    if shared {
        sockopt::set_socket_reuseport(&socket, true)?;
    }
    bind(&socket, &address)?;
    listen(&socket, i32::MAX)?;
    Ok(TcpListener::from(socket))
}

fn raise_descriptor_limit() -> io::Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit)?;
    Ok(())
}
