//! Many connections behind one epoll.

use std::ops::Range;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;

use crate::Failure;
use crate::connection::Connection;
use crate::dialogue::{Dialogue, Scenario};
use crate::sources::Sources;

/// Nothing happens for this long: the server is stuck.
const PATIENCE: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };

/// Connections that are begun before the server has answered those begun before: fewer than its
/// backlog holds.
const GROWTH: usize = 256;

const EVENTS: usize = 1_024;

/// As much as a connection can bring at once in any scenario.
const BUFFER: usize = 65_536;

pub(crate) struct Crowd {
    epoll: OwnedFd,
    events: Vec<Event>,
    buffer: Vec<u8>,
    sources: Sources,
    connections: Vec<Connection>,
    dialogue: Dialogue,
    /// Whether each connection is for one request.
    closes: bool,
    /// Requests that are not answered yet.
    under_way: usize,
}

/// What a connection does once it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    Ask,
    Rest,
}

impl Crowd {
    pub(crate) fn new(scenario: Scenario, sources: Sources) -> Result<Crowd, Failure> {
        let nothing = Event { flags: EventFlags::empty(), data: EventData::new_u64(0) };
        Ok(Crowd {
            epoll: epoll::create(CreateFlags::CLOEXEC)?,
            events: vec![nothing; EVENTS],
            buffer: vec![0; BUFFER],
            sources,
            connections: Vec::new(),
            dialogue: Dialogue::of(scenario),
            closes: scenario.closes(),
            under_way: 0,
        })
    }

    /// Opens connections until there are `count`.
    pub(crate) fn open(&mut self, count: usize) -> Result<(), Failure> {
        while self.connections.len() < count {
            let connection = self.connect(self.connections.len())?;
            self.connections.push(connection);
        }
        Ok(())
    }

    /// Opens connections until there are `count`, and has each new one answered once.
    pub(crate) fn grow(&mut self, count: usize) -> Result<(), Failure> {
        while self.connections.len() < count {
            let present = self.connections.len();
            self.open(count.min(present + GROWTH))?;
            self.ask(present..self.connections.len())?;
            self.finish()?;
        }
        Ok(())
    }

    /// Has each of these connections ask once.
    pub(crate) fn ask(&mut self, indices: Range<usize>) -> Result<(), Failure> {
        let now = Instant::now();
        indices.into_iter().try_for_each(|index| self.begin(index, now))
    }

    /// Waits until there are answers, and takes them in. `answered` is told how long each took.
    ///
    /// # Errors
    ///
    /// An answer that is not as it should be, a connection's end, and a server that is stuck.
    pub(crate) fn turn(
        &mut self,
        then: Then,
        mut answered: impl FnMut(Duration),
    ) -> Result<(), Failure> {
        for at in 0..self.wait()? {
            let Event { flags, data } = self.events[at];
            let index = data.u64() as usize;
            let connection = &mut self.connections[index];
            connection.send(&self.dialogue)?;
            if flags == EventFlags::OUT {
                continue;
            }
            if let Some(asked) = connection.receive(&self.dialogue, &mut self.buffer)? {
                let now = Instant::now();
                answered(now - asked);
                self.under_way -= 1;
                if then == Then::Ask {
                    self.begin(index, now)?;
                }
            }
        }
        Ok(())
    }

    /// Waits until every request is answered.
    pub(crate) fn finish(&mut self) -> Result<(), Failure> {
        while self.under_way > 0 {
            self.turn(Then::Rest, |_| ())?;
        }
        Ok(())
    }

    fn begin(&mut self, index: usize, now: Instant) -> Result<(), Failure> {
        if self.closes && self.connections[index].is_used() {
            // The old connection is closed by this.
            self.connections[index] = self.connect(index)?;
        }
        self.under_way += 1;
        self.connections[index].ask(&self.dialogue, now)
    }

    /// Each connection starts elsewhere in the dialogue, so that no two ask the same at a time.
    fn connect(&mut self, index: usize) -> Result<Connection, Failure> {
        let stream = self.sources.connect()?;
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        epoll::add(&self.epoll, &stream, EventData::new_u64(index as u64), flags)?;
        Ok(Connection::new(stream, index))
    }

    fn wait(&mut self) -> Result<usize, Failure> {
        loop {
            match epoll::wait(&self.epoll, &mut self.events[..], Some(&PATIENCE)) {
                Ok(0) => {
                    let (seconds, waiting) = (PATIENCE.tv_sec, self.under_way);
                    return Err(format!("nothing for {seconds} s, {waiting} unanswered").into());
                }
                Ok(count) => return Ok(count),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}
