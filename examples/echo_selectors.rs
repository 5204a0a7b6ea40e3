//! An echo server whose registrations carry the function to call.
//!
//! Run it:     cargo run -p examples --bin echo_selectors -- 127.0.0.1:8008
//! Try this:   connect twice with `nc 127.0.0.1 8008` and type in both windows.

use std::{io, io::prelude::*, net::TcpListener, process::ExitCode, rc::Rc};

use poll::{Event, Events, Interest, Key, Selector};
use socket2::Socket;

type Sel = Selector<Rc<Socket>, Callback>;
type Function = dyn Fn(&mut Sel, Key, &Socket) -> io::Result<()>;
struct Callback(Rc<Function>); // what to call when the socket is ready

fn accept(sel: &mut Sel, _: Key, sock: &Socket) -> io::Result<()> {
    let (conn, addr) = sock.accept()?; // ready to read, so it does not wait
    let addr = addr.as_socket().ok_or(io::ErrorKind::InvalidInput)?;
    println!("Accepted {addr}");
    conn.set_nonblocking(true)?;
    sel.register(conn.into(), Interest::READ, Callback(Rc::new(read)))?;
    Ok(())
}

fn read(sel: &mut Sel, key: Key, mut conn: &Socket) -> io::Result<()> {
    let mut data = [0; 1000];
    let size = conn.read(&mut data)?;
    if size > 0 {
        println!("Echoing {size} bytes");
        write(sel, key, conn, &data[..size])
    } else {
        println!("Closing");
        sel.unregister(key).map(drop) // and the socket closes
    }
}

/// Sends what fits; the rest waits until there is room.
fn write(sel: &mut Sel, key: Key, mut conn: &Socket, data: &[u8]) -> io::Result<()> {
    let sent = match conn.write(data) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
        sent => sent?,
    };
    if sent == data.len() {
        sel.modify(key, Interest::READ)?;
        sel.modify_data(key, Callback(Rc::new(read)))?;
    } else {
        let rest = data[sent..].to_vec();
        let again = move |sel: &mut Sel, key, conn: &Socket| write(sel, key, conn, &rest);
        sel.modify(key, Interest::WRITE)?;
        sel.modify_data(key, Callback(Rc::new(again)))?;
    }
    Ok(())
}

fn serve(address: String) -> io::Result<()> {
    let sock = TcpListener::bind(address)?; // it sets SO_REUSEADDR
    println!("Listening on {}", sock.local_addr()?);
    sock.set_nonblocking(true)?;
    let (mut sel, mut events) = (Sel::new()?, Events::new());
    let (sock, callback) = (Rc::new(sock.into()), Callback(Rc::new(accept)));
    let listening = sel.register(sock, Interest::READ, callback)?;
    loop {
        sel.select(&mut events, None)?;
        for Event { key, .. } in &events {
            let Some(found) = sel.get(key) else { continue };
            let (sock, callback) = (found.source().clone(), found.data().0.clone());
            let result = callback(&mut sel, key, &sock);
            let Err(error) = result else { continue };
            eprintln!("Failed: {error}"); // this connection's trouble, not the loop's
            if key != listening {
                sel.unregister(key)?;
            }
        }
    }
}

fn main() -> ExitCode {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:8008".into());
    serve(address).unwrap_or_else(|error| eprintln!("Failed: {error}"));
    ExitCode::FAILURE // a server ends only by failing
}
