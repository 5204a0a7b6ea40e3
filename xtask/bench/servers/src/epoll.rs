//! An event loop as one writes it by hand who wants nothing in between: epoll, a slab, reads and
//! writes.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with};
use slab::Slab;

use crate::answer::Answer;
use crate::{Failure, READ_SIZE};

/// Serves the connections of a listener that does not block; returns only with a failure.
///
/// # Errors
///
/// Those of epoll and of the listener.
pub fn serve<A: Answer>(listener: TcpListener, answer: A) -> Result<(), Failure> {
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, &listener, LISTENER, EventFlags::IN)?;
    let mut server =
        Server { epoll, listener, answer, connections: Slab::new(), buffer: [0; READ_SIZE] };
    let mut events = [Event { flags: EventFlags::empty(), data: LISTENER }; EVENTS];
    loop {
        let count = match epoll::wait(&server.epoll, &mut events, None) {
            Err(Errno::INTR) => 0,
            count => count?,
        };
        for &Event { flags, data } in &events[..count] {
            if data.u64() == LISTENER.u64() {
                server.accept()?;
            } else {
                server.advance(data.u64() as usize, flags);
            }
        }
    }
}

/// What the listener is registered with; connections are with their place in the slab.
const LISTENER: EventData = EventData::new_u64(u64::MAX);

const EVENTS: usize = 1_024;

struct Server<A: Answer> {
    epoll: OwnedFd,
    listener: TcpListener,
    answer: A,
    connections: Slab<Connection<A::State>>,
    /// Of whichever connection is at work: an idle one has none.
    buffer: [u8; READ_SIZE],
}

impl<A: Answer> Server<A> {
    fn accept(&mut self) -> Result<(), Failure> {
        loop {
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            let socket = match accept_with(&self.listener, flags) {
                Ok(socket) => socket,
                Err(Errno::AGAIN) => return Ok(()),
                // It was gone before it was taken.
                Err(Errno::CONNABORTED | Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            let entry = self.connections.vacant_entry();
            let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
            epoll::add(&self.epoll, &socket, EventData::new_u64(entry.key() as u64), flags)?;
            entry.insert(Connection {
                stream: socket.into(),
                state: A::State::default(),
                rest: None,
            });
        }
    }

    /// An event may be for a connection that was closed before it in the same batch, and even find
    /// another in its place, which then has nothing to read.
    fn advance(&mut self, index: usize, flags: EventFlags) {
        let Some(connection) = self.connections.get_mut(index) else { return };
        match connection.advance(flags, &mut self.buffer, &self.answer) {
            Ok(Fate::Open) => {}
            // Closing it takes it out of epoll.
            Ok(Fate::Ended) | Err(_) => drop(self.connections.remove(index)),
        }
    }
}

struct Connection<S> {
    stream: TcpStream,
    state: S,
    /// What the kernel had no room for; nothing more is read before it is gone.
    rest: Option<Box<[u8]>>,
}

enum Fate {
    Open,
    Ended,
}

impl<S> Connection<S> {
    /// Reads and answers until there is no more to read, or no room to write. As events are edges,
    /// both bring the next one.
    fn advance<A: Answer<State = S>>(
        &mut self,
        flags: EventFlags,
        buffer: &mut [u8],
        answer: &A,
    ) -> io::Result<Fate> {
        if let Some(rest) = self.rest.take() {
            self.send(&rest)?;
        } else if flags == EventFlags::OUT {
            return Ok(Fate::Open);
        }
        while self.rest.is_none() {
            let count = match (&self.stream).read(buffer) {
                Ok(0) => return Ok(Fate::Ended),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            };
            let answered = answer.answer(&mut self.state, &buffer[..count]);
            self.send(answered)?;
            // A short read has emptied the socket, and what comes later is another edge. The end
            // that has come already is not.
            if count < buffer.len() && !flags.contains(EventFlags::RDHUP) {
                break;
            }
        }
        Ok(Fate::Open)
    }

    /// Sends as much as there is room for, and keeps the rest. A short write has filled the socket,
    /// and room is another edge.
    #[inline]
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let sent = match (&self.stream).write(bytes) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        if sent < bytes.len() {
            self.rest = Some(bytes[sent..].into());
        }
        Ok(())
    }
}
