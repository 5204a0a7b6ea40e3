//! Tells which TCP ports of a host are open, many at a time.
//!
//! Run it:     cargo run -p examples --bin scan -- 127.0.0.1 1-65535
//! Try this:   start `hello` (cargo run -p net) first; then see what else of yours listens.

use std::cell::RefCell;
use std::{io, net::IpAddr, ops::RangeInclusive, process::ExitCode, rc::Rc, time::Duration};

use indicatif::ProgressBar;
use net::{EventLoop, TaskGroup, TcpStream, lookup, timeout};

const ATTEMPTS: usize = 100; // at once; each is a descriptor
const PATIENCE: Duration = Duration::from_secs(1); // for one attempt

/// Tries each port, and tells `found` of it and whether it is open.
pub(crate) async fn scan(
    host: IpAddr,
    ports: RangeInclusive<u16>,
    found: impl Fn(u16, bool) + 'static,
) -> io::Result<()> {
    let work = Rc::new((RefCell::new(ports), found));
    let mut attempts = TaskGroup::new();
    for _ in 0..ATTEMPTS {
        let work = work.clone();
        attempts.spawn(async move {
            let (ports, found) = &*work;
            loop {
                let next = ports.borrow_mut().next(); // whoever is free takes the next
                let Some(port) = next else { return io::Result::Ok(()) };
                found(port, is_open(host, port).await?);
            }
        });
    }
    Ok(attempts.wait().await?)
}

async fn is_open(host: IpAddr, port: u16) -> io::Result<bool> {
    use io::ErrorKind::{ConnectionRefused, ConnectionReset, HostUnreachable};
    match timeout(PATIENCE, TcpStream::connect((host, port).into())).await {
        // On this host an attempt may come from the very port it goes to: that is nobody else.
        Ok(Ok(stream)) => Ok(stream.local_addr()? != stream.peer_addr()?),
        Ok(Err(error)) => match error.kind() {
            ConnectionRefused | ConnectionReset | HostUnreachable => Ok(false),
            _ => Err(error), // says nothing about the port
        },
        Err(_) => Ok(false), // not even refused
    }
}

async fn run(host: String, ports: RangeInclusive<u16>) -> io::Result<()> {
    let host = lookup((host, 0)).await?[0].ip();
    let bar = ProgressBar::new(ports.len() as u64); // on standard error, if that is a terminal
    let told = bar.clone();
    scan(host, ports, move |port, is_open| {
        told.inc(1);
        if is_open {
            told.suspend(|| println!("{port} is open"));
        }
    })
    .await?;
    bar.finish_and_clear();
    Ok(())
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let host = arguments.next().unwrap_or("127.0.0.1".into());
    let ports = arguments.next().unwrap_or("1-65535".into());
    let range = ports.split_once('-').unwrap_or((&ports, &ports));
    let (Ok(first), Ok(last)) = (range.0.parse(), range.1.parse()) else {
        eprintln!("Failed: {ports:?} should read FIRST-LAST");
        return ExitCode::FAILURE;
    };
    let scanned =
        EventLoop::new().and_then(|event_loop| event_loop.run_until(run(host, first..=last))?);
    let Err(error) = scanned else { return ExitCode::SUCCESS };
    eprintln!("Failed: {error}");
    ExitCode::FAILURE
}
