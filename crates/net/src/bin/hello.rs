//! Answers `Hello world` to whoever writes to 127.0.0.1:5001.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Socket, Type};

fn main() -> io::Result<()> {
    let address: SocketAddr = ([127, 0, 0, 1], 5001).into();
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    listener.set_reuse_address(true)?;
    listener.bind(&address.into())?;
    listener.listen(128)?;
    net::EventLoop::hello(listener)
}
