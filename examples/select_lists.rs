//! The three lists of select: ready to read, ready to write, and the exceptional condition.
//!
//! Run it:     cargo run -p examples --bin select_lists     (on Unix)
//! Try this:   leave the urgent byte unread, and see the third list come back.

#![cfg_attr(any(not(unix), target_os = "illumos"), allow(unused))]

use std::io::{self, Read};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

#[cfg(all(unix, not(target_os = "illumos")))]
use {poll::select, rustix::net};

/// Asks about all ends in all three lists and names those that are ready.
#[cfg(all(unix, not(target_os = "illumos")))]
fn show(what: &str, ends: &[(&TcpStream, &str)]) -> io::Result<()> {
    let all: Vec<&TcpStream> = ends.iter().map(|(sock, _)| *sock).collect();
    let (rlist, wlist, xlist) = select(&all, &all, &all, Some(Duration::ZERO))?;
    let names = |ready: &[&TcpStream]| {
        let is_ready = |end: &TcpStream| ready.iter().any(|sock| std::ptr::eq(*sock, end));
        let found = ends.iter().filter(|(sock, _)| is_ready(sock));
        found.map(|(_, name)| *name).collect::<Vec<_>>().join(", ")
    };
    let (rlist, wlist, xlist) = (names(&rlist), names(&wlist), names(&xlist));
    println!("{what}: read [{rlist}], write [{wlist}], except [{xlist}]");
    Ok(())
}

#[cfg(all(unix, not(target_os = "illumos")))]
fn main() -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let client = TcpStream::connect(listener.local_addr()?)?;
    let (mut server, _) = listener.accept()?;
    let ends = [(&client, "client"), (&server, "server")];
    let mut bytes = [0; 16];

    show("connected", &ends)?; // both have room to write, nobody has anything to read

    net::send(&client, b"data", net::SendFlags::empty())?;
    select(&[&server], &[], &[], None)?; // rlist: something is to be read
    show("data sent", &ends)?;
    let size = (&server).read(&mut bytes)?;
    println!("the server reads {}", String::from_utf8_lossy(&bytes[..size]));

    net::send(&client, b"!", net::SendFlags::OOB)?;
    select(&[], &[], &[&server], None)?; // xlist: up to the system; for TCP, an urgent byte
    show("urgent byte sent", &ends)?;
    let (size, _) = net::recv(&server, &mut bytes[..1], net::RecvFlags::OOB)?;
    println!("the server reads {} out of band", String::from_utf8_lossy(&bytes[..size]));

    drop(client);
    select(&[&server], &[], &[], None)?; // the end of the stream is something to read
    show("client closed", &[(&server, "server")])?;
    println!("the server reads {} bytes", server.read(&mut bytes)?);
    Ok(())
}

#[cfg(any(not(unix), target_os = "illumos"))]
fn main() {
    println!("poll::select is not on this system; a Selector is on every one.");
}
