//! mio, and epoll by hand: with the system calls compiled in, as rustix has them, and through libc. Few
//! instructions lie between the two, and a quarter of the time of a wait that brings nothing.

use std::error::Error;
use std::hint::black_box;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use mio::unix::SourceFd;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};

use crate::watcher::Watcher;

pub(crate) struct Mio {
    poll: mio::Poll,
    events: mio::Events,
}

impl Watcher for Mio {
    type Key = ();

    fn open(events: usize) -> io::Result<Mio> {
        Ok(Mio { poll: mio::Poll::new()?, events: mio::Events::with_capacity(events) })
    }

    fn register(&mut self, source: &Rc<OwnedFd>, number: usize) -> Result<(), Box<dyn Error>> {
        let (token, interest) = (mio::Token(number), mio::Interest::READABLE);
        Ok(self.poll.registry().register(&mut SourceFd(&source.as_raw_fd()), token, interest)?)
    }

    fn unregister(&mut self, source: &Rc<OwnedFd>, (): ()) -> Result<(), Box<dyn Error>> {
        Ok(self.poll.registry().deregister(&mut SourceFd(&source.as_raw_fd()))?)
    }

    #[inline]
    fn look(&mut self) -> io::Result<usize> {
        self.poll.poll(&mut self.events, Some(Duration::ZERO))?;
        let mut count = 0;
        for event in &self.events {
            black_box(event.token());
            count += 1;
        }
        Ok(count)
    }
}

/// The system calls themselves, level-triggered.
pub(crate) struct Raw {
    epoll: OwnedFd,
    events: Vec<epoll::Event>,
}

impl Watcher for Raw {
    type Key = ();

    fn open(events: usize) -> io::Result<Raw> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        Ok(Raw { epoll, events: Vec::with_capacity(events) })
    }

    fn register(&mut self, source: &Rc<OwnedFd>, number: usize) -> Result<(), Box<dyn Error>> {
        let data = epoll::EventData::new_u64(number as u64);
        Ok(epoll::add(&self.epoll, source, data, epoll::EventFlags::IN)?)
    }

    fn unregister(&mut self, source: &Rc<OwnedFd>, (): ()) -> Result<(), Box<dyn Error>> {
        Ok(epoll::delete(&self.epoll, source)?)
    }

    #[inline]
    fn look(&mut self) -> io::Result<usize> {
        self.events.clear();
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        epoll::wait(&self.epoll, spare_capacity(&mut self.events), Some(&now))?;
        for event in &self.events {
            black_box(event.data.u64());
        }
        Ok(self.events.len())
    }
}

/// The same through libc.
pub(crate) struct Libc {
    epoll: Epoll,
    events: Vec<EpollEvent>,
}

impl Watcher for Libc {
    type Key = ();

    fn open(events: usize) -> io::Result<Libc> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        Ok(Libc { epoll, events: vec![EpollEvent::empty(); events] })
    }

    fn register(&mut self, source: &Rc<OwnedFd>, number: usize) -> Result<(), Box<dyn Error>> {
        let event = EpollEvent::new(EpollFlags::EPOLLIN, number as u64);
        Ok(self.epoll.add(source, event)?)
    }

    fn unregister(&mut self, source: &Rc<OwnedFd>, (): ()) -> Result<(), Box<dyn Error>> {
        Ok(self.epoll.delete(source)?)
    }

    #[inline]
    fn look(&mut self) -> io::Result<usize> {
        let count = self.epoll.wait(&mut self.events, EpollTimeout::ZERO)?;
        for event in &self.events[..count] {
            black_box(event.data());
        }
        Ok(count)
    }
}
