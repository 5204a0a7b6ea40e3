//! A client that never waits for ever.

use std::io::ErrorKind::{TimedOut, WouldBlock};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use crate::report::Failure;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// When a send that makes no progress counts as stuck.
const STALLED: Duration = Duration::from_millis(200);

/// One connection to a server.
#[derive(Debug)]
pub(crate) struct Client(TcpStream);

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Result<Client, Failure> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Client(stream))
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        Ok(self.0.write_all(bytes)?)
    }

    /// Sends bytes and at the same time reads `count`, so that neither side fills up.
    pub(crate) fn exchange(&mut self, bytes: &[u8], count: usize) -> Result<Vec<u8>, Failure> {
        self.0.set_write_timeout(Some(PATIENCE))?;
        let mut writer = self.0.try_clone()?;
        std::thread::scope(|scope| {
            let sent = scope.spawn(move || writer.write_all(bytes));
            let answer = self.receive(count)?;
            sent.join().map_err(|_| "the sender panicked")??;
            Ok(answer)
        })
    }

    /// Sends until nothing more fits between here and the server, and reads nothing; returns how
    /// much was sent.
    pub(crate) fn fill(&mut self, bytes: &[u8]) -> Result<usize, Failure> {
        self.0.set_write_timeout(Some(STALLED))?;
        let mut sent = 0;
        while sent < bytes.len() {
            match self.0.write(&bytes[sent..]) {
                Ok(count) => sent += count,
                Err(error) if matches!(error.kind(), WouldBlock | TimedOut) => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(sent)
    }

    /// Exactly `count` bytes.
    pub(crate) fn receive(&mut self, count: usize) -> Result<Vec<u8>, Failure> {
        let mut bytes = vec![0; count];
        self.0.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Sends nothing more, and reads up to the end of the stream.
    pub(crate) fn finish(mut self) -> Result<Vec<u8>, Failure> {
        self.0.shutdown(Shutdown::Write)?;
        let mut bytes = Vec::new();
        self.0.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Closes with an answer unread, which the server sees as a reset.
    pub(crate) fn reset(self) -> Result<(), Failure> {
        self.0.peek(&mut [0])?;
        Ok(())
    }
}
