//! A readiness selector that owns its sources.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::epoll;

/// The number of a registration, never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key(u64);

/// Sources and the kernel's word on which of them can be read.
#[derive(Debug)]
pub struct Selector<S> {
    epoll: OwnedFd,
    sources: HashMap<Key, S>,
    next: u64,
}

impl<S: AsFd> Selector<S> {
    /// An empty selector over epoll.
    ///
    /// # Errors
    ///
    /// The kernel's, when it has no descriptor left.
    pub fn new() -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        Ok(Selector {
            epoll,
            sources: HashMap::new(),
            next: 0,
        })
    }

    /// Watches `source` for reading.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn register(&mut self, source: S) -> io::Result<Key> {
        let key = Key(self.next);
        self.next += 1;
        let data = epoll::EventData::new_u64(key.0);
        epoll::add(&self.epoll, source.as_fd(), data, epoll::EventFlags::IN)?;
        self.sources.insert(key, source);
        Ok(key)
    }

    /// Forgets a registration and gives its source back.
    pub fn unregister(&mut self, key: Key) -> Option<S> {
        let source = self.sources.remove(&key)?;
        epoll::delete(&self.epoll, source.as_fd()).ok()?;
        Some(source)
    }

    /// Waits until a source can be read.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn select(&mut self) -> io::Result<Vec<Key>> {
        let mut events = Vec::with_capacity(64);
        epoll::wait(
            &self.epoll,
            rustix::buffer::spare_capacity(&mut events),
            None,
        )?;
        Ok(events.iter().map(|event| Key(event.data.u64())).collect())
    }
}
