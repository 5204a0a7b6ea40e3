//! hello and echo with mio.

use std::io::{self, ErrorKind, Read, Write};
use std::process::ExitCode;

use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use servers::on_threads;
use servers::{Answer, Arguments, Echo, Failure, Hello, READ_SIZE, Service, Unavailable};
use slab::Slab;

fn main() -> ExitCode {
    servers::main(run)
}

fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.service {
        Service::Hello => on_threads(arguments.threads, |listener| serve(listener, Hello)),
        Service::Echo => on_threads(arguments.threads, |listener| serve(listener, Echo)),
        Service::Http => Err(Unavailable("serves hello and echo").into()),
    }
}

const LISTENER: Token = Token(usize::MAX);

const EVENTS: usize = 1_024;

fn serve<A: Answer<State = ()>>(listener: std::net::TcpListener, answer: A) -> Result<(), Failure> {
    let mut listener = TcpListener::from_std(listener);
    let poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut server = Server { poll, listener, answer, connections: Slab::new() };
    let (mut events, mut buffer) = (Events::with_capacity(EVENTS), [0; READ_SIZE]);
    loop {
        match server.poll.poll(&mut events, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            result => result?,
        }
        for event in &events {
            match event.token() {
                LISTENER => server.accept()?,
                Token(index) => server.advance(index, event, &mut buffer)?,
            }
        }
    }
}

struct Server<A> {
    poll: Poll,
    listener: TcpListener,
    answer: A,
    connections: Slab<Connection>,
}

impl<A: Answer<State = ()>> Server<A> {
    fn accept(&mut self) -> io::Result<()> {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                // It was gone before it was taken.
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error),
            };
            let entry = self.connections.vacant_entry();
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut stream, Token(entry.key()), interest)?;
            entry.insert(Connection { stream, rest: None });
        }
    }

    fn advance(&mut self, index: usize, event: &Event, buffer: &mut [u8]) -> io::Result<()> {
        let Some(connection) = self.connections.get_mut(index) else { return Ok(()) };
        if connection.advance(event, buffer, &self.answer).unwrap_or(false) {
            return Ok(());
        }
        let mut connection = self.connections.remove(index);
        self.poll.registry().deregister(&mut connection.stream)
    }
}

struct Connection {
    stream: TcpStream,
    /// What the kernel had no room for; nothing more is read before it is gone.
    rest: Option<Box<[u8]>>,
}

impl Connection {
    /// Reads and answers until one of both would block, as mio asks for; `false` at the end.
    fn advance<A: Answer<State = ()>>(
        &mut self,
        event: &Event,
        buffer: &mut [u8],
        answer: &A,
    ) -> io::Result<bool> {
        if let Some(rest) = self.rest.take() {
            self.send(&rest)?;
        } else if !event.is_readable() {
            return Ok(!event.is_error());
        }
        while self.rest.is_none() {
            match self.stream.read(buffer) {
                Ok(0) => return Ok(false),
                Ok(count) => self.send(answer.answer(&mut (), &buffer[..count]))?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Sends until there is no more to send or no room, and keeps the rest.
    fn send(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.stream.write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.rest = Some(bytes.into());
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
