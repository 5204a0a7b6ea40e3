//! One connection, and the request that is under way.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use rustix::net::sockopt::set_tcp_quickack;

use crate::Failure;
use crate::dialogue::Dialogue;

#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    /// Which request of the dialogue is next, or under way.
    turn: usize,
    /// When the request under way was begun; `None` between an answer and the next request.
    asked: Option<Instant>,
    /// Bytes of the request that the kernel has not taken yet.
    unsent: usize,
    received: usize,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream, turn: usize) -> Connection {
        Connection { stream, turn, asked: None, unsent: 0, received: 0 }
    }

    /// Whether anything was answered on it.
    pub(crate) fn is_used(&self) -> bool {
        self.received > 0
    }

    /// Begins a request.
    pub(crate) fn ask(&mut self, dialogue: &Dialogue, now: Instant) -> Result<(), Failure> {
        self.unsent = dialogue.request(self.turn).len();
        (self.received, self.asked) = (0, Some(now));
        self.send(dialogue)
    }

    /// Sends what is left of the request, as far as the kernel takes it.
    pub(crate) fn send(&mut self, dialogue: &Dialogue) -> Result<(), Failure> {
        while self.unsent > 0 {
            let request = dialogue.request(self.turn);
            match attempt(|| self.stream.write(&request[request.len() - self.unsent..]))? {
                Some(count) => self.unsent -= count,
                None => break,
            }
        }
        Ok(())
    }

    /// Receives what has come and compares it; returns when it was asked for, once it is whole.
    ///
    /// A read that does not fill the buffer has taken all there is.
    ///
    /// # Errors
    ///
    /// A byte that is not as it should be, and the end of the connection.
    pub(crate) fn receive(
        &mut self,
        dialogue: &Dialogue,
        buffer: &mut [u8],
    ) -> Result<Option<Instant>, Failure> {
        let answer = self.asked.map_or(&[][..], |_| dialogue.answer(self.turn));
        loop {
            let count = match attempt(|| self.stream.read(buffer))? {
                None => return Ok(None),
                Some(0) => return Err("the server closed a connection".into()),
                Some(count) => count,
            };
            let expected = &answer[self.received.min(answer.len())..];
            if !expected.starts_with(&buffer[..count]) {
                return Err(wrong(&buffer[..count], expected));
            }
            self.received += count;
            if self.received == answer.len() {
                break;
            }
            if count < buffer.len() {
                // A server that sends its answer in pieces may hold back the next until this one is
                // acknowledged (Nagle's algorithm), which the kernel would put off for 40 ms.
                set_tcp_quickack(&self.stream, true)?;
                return Ok(None);
            }
        }
        self.turn = self.turn.wrapping_add(1);
        Ok(self.asked.take())
    }
}

/// `None` where it would block.
fn attempt(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<Option<usize>> {
    loop {
        match call() {
            Ok(count) => return Ok(Some(count)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cold]
fn wrong(answer: &[u8], expected: &[u8]) -> Failure {
    let differs = answer.iter().zip(expected).take_while(|(one, other)| one == other).count();
    let shown = |bytes: &[u8]| {
        let bytes = &bytes[differs.min(bytes.len())..];
        String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN)]).into_owned()
    };
    let (answer, expected) = (shown(answer), shown(expected));
    format!("answered {answer:?} at byte {differs}, where {expected:?} was expected").into()
}

/// The bytes that are shown of a wrong answer.
const SHOWN: usize = 32;

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;
    use crate::dialogue::Scenario;

    fn pair() -> (Connection, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (Connection::new(stream, 0), listener.accept().unwrap().0)
    }

    #[test]
    fn an_answer_may_come_in_pieces() {
        let (mut connection, mut server) = pair();
        let hello = Dialogue::of(Scenario::Hello);
        connection.ask(&hello, Instant::now()).unwrap();
        let mut request = [0; 6];
        server.read_exact(&mut request).unwrap();
        assert_eq!(&request, b"hello\n");
        let mut buffer = [0; 64];
        server.write_all(b"Hello ").unwrap();
        assert!(connection.receive(&hello, &mut buffer).unwrap().is_none());
        server.write_all(b"world\n").unwrap();
        assert!(connection.receive(&hello, &mut buffer).unwrap().is_some());
    }

    #[test]
    fn a_wrong_byte_too_many_and_none_are_failures() {
        let hello = Dialogue::of(Scenario::Hello);
        for (answer, failure) in [
            (
                &b"Hello World\n"[..],
                "answered \"World\\n\" at byte 6, where \"world\\n\" was expected",
            ),
            (b"Hello world\n\n", "answered \"\\n\" at byte 12, where \"\" was expected"),
            (b"", "the server closed a connection"),
        ] {
            let (mut connection, mut server) = pair();
            connection.ask(&hello, Instant::now()).unwrap();
            // All of it read, so that closing does not reset.
            server.read_exact(&mut [0; 6]).unwrap();
            server.write_all(answer).unwrap();
            drop(server);
            let result = connection.receive(&hello, &mut [0; 64]);
            assert_eq!(result.unwrap_err().to_string(), failure);
        }
    }

    #[test]
    fn what_nobody_asked_for_is_a_failure() {
        let (mut connection, mut server) = pair();
        server.write_all(b"!").unwrap();
        let result = connection.receive(&Dialogue::of(Scenario::Hello), &mut [0; 64]);
        assert_eq!(
            result.unwrap_err().to_string(),
            "answered \"!\" at byte 0, where \"\" was expected"
        );
    }
}
