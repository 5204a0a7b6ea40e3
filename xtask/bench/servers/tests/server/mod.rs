//! A server in a process of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddrV4;
use std::process::{Child, Command, Stdio};

/// A running server; dropped, its process is ended.
pub(crate) struct Server {
    child: Child,
    address: SocketAddrV4,
}

impl Server {
    /// Starts it and waits for its first line, which comes or ends with the process.
    pub(crate) fn start(command: &mut Command) -> Server {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let nowhere = SocketAddrV4::new([0; 4].into(), 0);
        // Owned from here on, so that a server that says something else is ended too.
        let mut server = Server { child, address: nowhere };
        let address = line.strip_prefix("Listening on ").unwrap_or_else(|| panic!("{line:?}"));
        server.address = address.trim().parse().unwrap();
        server
    }

    pub(crate) fn address(&self) -> SocketAddrV4 {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; then there is only its entry to collect.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
