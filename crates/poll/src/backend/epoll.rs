//! `epoll(7)`: the default on Linux and Android.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;

use super::Watch;
use super::answer::Answer;
use super::epoll_wait::Waiter;
use crate::interest::{Interest, Mode};
use crate::key::NOTIFIER;
use crate::notifier::Notifier;

/// An epoll instance that carries each registration's key.
pub(crate) struct Epoll {
    instance: OwnedFd,
    waiter: Waiter,
    /// What the kernel writes into; its capacity is the largest batch.
    ready: Vec<Answer>,
}

impl Epoll {
    pub(crate) fn new(notifier: &Notifier) -> io::Result<Self> {
        let instance = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        if let Some(bell) = notifier.descriptor() {
            epoll::add(&instance, bell, EventData::new_u64(NOTIFIER), EventFlags::IN)?;
        }
        let ready = Vec::with_capacity(FIRST_BATCH);
        Ok(Self { instance, waiter: Waiter::default(), ready })
    }

    /// Tells the kernel about a descriptor that the selector does not hold yet.
    ///
    /// The kernel may: an entry outlives a descriptor that was discarded while a duplicate keeps
    /// the file open. If the number is registered with the same file again, the entry is taken
    /// over.
    pub(crate) fn add(&self, watch: Watch<'_>) -> io::Result<()> {
        let (data, flags) =
            (EventData::new_u64(watch.key.bits()), flags(watch.interest, watch.mode));
        match epoll::add(&self.instance, watch.descriptor, data, flags) {
            Err(Errno::EXIST) => Ok(epoll::modify(&self.instance, watch.descriptor, data, flags)?),
            added => Ok(added?),
        }
    }

    /// Changes what the kernel waits for. An entry that the kernel dropped, because the source
    /// closed its descriptor and opened another one under the same number, is made anew.
    pub(crate) fn modify(&self, watch: Watch<'_>) -> io::Result<()> {
        let (data, flags) =
            (EventData::new_u64(watch.key.bits()), flags(watch.interest, watch.mode));
        match epoll::modify(&self.instance, watch.descriptor, data, flags) {
            Err(Errno::NOENT) => Ok(epoll::add(&self.instance, watch.descriptor, data, flags)?),
            modified => Ok(modified?),
        }
    }

    pub(crate) fn remove(&self, descriptor: BorrowedFd<'_>) -> io::Result<()> {
        Ok(epoll::delete(&self.instance, descriptor)?)
    }

    #[inline]
    pub(crate) fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        if self.ready.len() == self.ready.capacity() {
            self.ready.reserve(2 * self.ready.len());
        }
        self.waiter.wait(self.instance.as_fd(), &mut self.ready, timeout)
    }

    /// What the last wait brought.
    #[inline]
    pub(crate) fn answers(&self) -> &[Answer] {
        &self.ready
    }
}

impl AsFd for Epoll {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.instance.as_fd()
    }
}

/// What the kernel is to watch for. Errors and hangups come unasked.
///
/// With reading comes the other side's hangup: it raises reading anyway, so level mode reports it
/// for no longer than that. An urgent byte does not raise reading, so level mode would report it
/// again and again to an owner who never asked: there only those who ask hear of it. Edge mode
/// says it once, and must, since a short read then leaves bytes behind without a further edge.
fn flags(interest: Interest, mode: Mode) -> EventFlags {
    let mut flags = EventFlags::from_bits_retain(u32::from(interest.bits()));
    if interest.is_readable() {
        flags |= EventFlags::RDHUP;
    }
    match mode {
        Mode::Level => flags,
        Mode::OneShot => flags | EventFlags::ONESHOT,
        Mode::Edge if interest.is_readable() => flags | EventFlags::ET | EventFlags::PRI,
        Mode::Edge => flags | EventFlags::ET,
    }
}

/// Events that the first waits can bring. A wait that brings as many as there is room for makes
/// room for the next, so this never exceeds three times the registrations.
const FIRST_BATCH: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interests_are_the_bits_of_the_kernel() {
        for (interest, flag) in [
            (Interest::READ, EventFlags::IN | EventFlags::RDHUP),
            (Interest::WRITE, EventFlags::OUT),
            (Interest::PRIORITY, EventFlags::PRI),
        ] {
            assert_eq!(flags(interest, Mode::Level), flag);
        }
    }

    #[test]
    fn only_edge_mode_watches_for_urgent_bytes_unasked() {
        assert!(flags(Interest::READ, Mode::Edge).contains(EventFlags::PRI));
        assert!(!flags(Interest::WRITE, Mode::Edge).contains(EventFlags::PRI));
        assert!(!flags(Interest::READ, Mode::Level).contains(EventFlags::PRI));
        assert!(!flags(Interest::READ, Mode::OneShot).contains(EventFlags::PRI));
    }
}
