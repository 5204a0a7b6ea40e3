//! What a wait costs, and what a registration does, for a counter of instructions or system calls.
//!
//!     cargo build --release -p poll --example waits
//!     strace -f -c target/release/examples/waits epoll idle 1000
//!     valgrind --tool=callgrind target/release/examples/waits epoll ready 100
//!
//! The arguments are a backend, what to do, and how often. Take the difference of two runs with different
//! numbers, so that the rest of the program drops out. Try `idle` (a wait that finds nothing, with one source),
//! `register` (a source comes and goes, without a wait), and `ready` (a wait that finds 100 of 1,000 sources).

use std::error::Error;
use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use poll::{Backend, Events, Interest, Key, Selector};

/// What is registered for `ready`, and how much of that has something to read.
const SOURCES: usize = 1_000;
const READY: usize = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [backend, what, times] = arguments.as_slice() else {
        return Err("usage: waits BACKEND idle|register|ready TIMES".into());
    };
    let selector = Selector::with_backend(backend.parse()?)?;
    let times = times.parse()?;
    match what.as_str() {
        "idle" => idle(selector, times)?,
        "register" => register(selector, times)?,
        "ready" => ready(selector, times)?,
        other => return Err(format!("{other}: neither idle nor register nor ready").into()),
    }
    println!("{times} times with {}", backend.parse::<Backend>()?);
    Ok(())
}

fn idle(mut selector: Selector<UdpSocket>, times: u64) -> io::Result<()> {
    add(&mut selector, silent()?)?;
    wait(&mut selector, times, 0)
}

fn register(mut selector: Selector<UdpSocket>, times: u64) -> io::Result<()> {
    let mut source = silent()?;
    for _ in 0..times {
        let key = add(&mut selector, source)?;
        (source, ()) = selector.unregister(key)?;
    }
    Ok(())
}

fn ready(mut selector: Selector<UdpSocket>, times: u64) -> io::Result<()> {
    raise_descriptor_limit()?;
    let (silent, spoken) = (silent()?, silent()?);
    spoken.send_to(b"!", spoken.local_addr()?)?;
    for number in 0..SOURCES {
        // Spread evenly, and each with a descriptor of its own.
        let socket = if number % (SOURCES / READY) == 0 { &spoken } else { &silent };
        add(&mut selector, socket.try_clone()?)?;
    }
    wait(&mut selector, times, READY)
}

fn wait(selector: &mut Selector<UdpSocket>, times: u64, expected: usize) -> io::Result<()> {
    let mut events = Events::with_capacity(SOURCES);
    for _ in 0..times {
        assert_eq!(selector.select(&mut events, Some(Duration::ZERO))?, expected);
    }
    Ok(())
}

/// A socket that has nothing to read.
fn silent() -> io::Result<UdpSocket> {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
}

fn add(selector: &mut Selector<UdpSocket>, source: UdpSocket) -> io::Result<Key> {
    selector.register(source, Interest::READ, ()).map_err(|refused| refused.into_parts().0)
}

/// A thousand sources and a few more are over the limit that most shells set.
#[cfg(unix)]
fn raise_descriptor_limit() -> io::Result<()> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    Ok(setrlimit(Resource::Nofile, limit)?)
}

#[cfg(not(unix))]
fn raise_descriptor_limit() -> io::Result<()> {
    Ok(())
}
