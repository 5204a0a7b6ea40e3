//! `poll(2)`: every Unix.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::answer::{Answer, answer};
use crate::interest::Interest;
use crate::key::NOTIFIER;
use crate::readiness::Readiness;
use crate::slots::Slots;
use crate::source::Source;

/// The memory of the last wait. The kernel keeps nothing between waits, so neither does this:
/// each wait lists the registrations anew, which costs no more than the kernel's own walk.
#[derive(Default)]
pub(crate) struct Poll {
    /// What the kernel is asked, the notifier last. Empty between waits.
    fds: Vec<PollFd<'static>>,
    /// The key of each in `fds`.
    keys: Vec<u64>,
    /// What the last wait brought.
    ready: Vec<Answer>,
}

impl Poll {
    #[inline(never)]
    pub(crate) fn wait<S: Source, D>(
        &mut self,
        timeout: Option<Duration>,
        bell: Option<BorrowedFd<'_>>,
        slots: &Slots<S, D>,
    ) -> io::Result<()> {
        let mut fds = recycle(std::mem::take(&mut self.fds));
        self.keys.clear();
        self.ready.clear();
        for (slot, interest) in slots.armed() {
            match slot.descriptor() {
                Some(fd) => {
                    fds.push(PollFd::from_borrowed_fd(fd, flags(interest)));
                    self.keys.push(slot.key().bits());
                }
                // Its owner is told, and learns the cause when he modifies or unregisters it.
                None => self.ready.push(answer(slot.key().bits(), Readiness::ERROR)),
            }
        }
        fds.extend(bell.map(|bell| PollFd::from_borrowed_fd(bell, PollFlags::IN)));
        self.keys.extend(bell.map(|_| NOTIFIER));

        let timeout = if self.ready.is_empty() { timeout } else { Some(Duration::ZERO) };
        let timeout = timeout.and_then(|left| Timespec::try_from(left).ok());
        let waited = poll(&mut fds, timeout.as_ref());
        if waited.is_ok() {
            let answers = self.keys.iter().zip(&fds).filter(|(_, fd)| !fd.revents().is_empty());
            self.ready.extend(answers.map(|(&key, fd)| answer(key, readiness(fd.revents()))));
        }
        self.fds = recycle(fds);
        waited?;
        Ok(())
    }

    /// What the last wait brought.
    pub(crate) fn answers(&self) -> &[Answer] {
        &self.ready
    }
}

/// Empties the list but keeps its memory, for borrows of another length: collecting a vector from
/// a vector of the same layout reuses the allocation.
fn recycle<'a>(mut fds: Vec<PollFd<'_>>) -> Vec<PollFd<'a>> {
    fds.clear();
    fds.into_iter().map(|_| unreachable!("the list is empty")).collect()
}

fn flags(interest: Interest) -> PollFlags {
    let mut flags = PollFlags::empty();
    if interest.is_readable() {
        flags |= PollFlags::IN | READ_HANGUP;
    }
    if interest.is_writable() {
        flags |= PollFlags::OUT;
    }
    if interest.is_priority() {
        flags |= PollFlags::PRI;
    }
    flags
}

/// `POLLNVAL` counts as an error: only a source that breaks its word lets its descriptor close.
fn readiness(flags: PollFlags) -> Readiness {
    let has = |flag, meaning: Readiness| meaning.when(flags.intersects(flag));
    has(PollFlags::IN, Readiness::READ)
        | has(PollFlags::OUT, Readiness::WRITE)
        | has(PollFlags::PRI, Readiness::PRIORITY)
        | has(PollFlags::ERR | PollFlags::NVAL, Readiness::ERROR)
        | has(PollFlags::HUP, Readiness::HANGUP)
        | has(READ_HANGUP, Readiness::READ_HANGUP)
}

/// The other side's hangup, where `poll` knows it.
#[cfg(any(target_os = "linux", target_os = "android"))]
const READ_HANGUP: PollFlags = PollFlags::from_bits_retain(libc::POLLRDHUP as _);
#[cfg(any(target_os = "freebsd", target_os = "illumos"))]
const READ_HANGUP: PollFlags = PollFlags::RDHUP;
#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd",
    target_os = "illumos"
)))]
const READ_HANGUP: PollFlags = PollFlags::empty();
