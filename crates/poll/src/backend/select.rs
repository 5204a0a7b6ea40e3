//! `select(2)`: Linux, macOS and the BSDs. Elsewhere it cannot go beyond 1,024 descriptors.
#![allow(unsafe_code)]

use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

use rustix::event::{
    FdSetElement, FdSetIter, Timespec, fd_set_insert, fd_set_num_elements, select,
};

use super::answer::{Answer, answer};
use crate::interest::Interest;
use crate::key::NOTIFIER;
use crate::readiness::Readiness;
use crate::slots::Slots;
use crate::source::Source;

/// The memory of the last wait; as with `poll`, the kernel keeps nothing.
#[derive(Default)]
pub(crate) struct Select {
    sets: Sets,
    /// The keys and descriptors in the sets.
    watched: Vec<(u64, RawFd)>,
    /// What the last wait brought.
    ready: Vec<Answer>,
}

impl Select {
    #[inline(never)]
    pub(crate) fn wait<S: Source, D>(
        &mut self,
        timeout: Option<Duration>,
        bell: Option<BorrowedFd<'_>>,
        slots: &Slots<S, D>,
    ) -> io::Result<()> {
        let mut asked = self.sets.ask();
        self.watched.clear();
        self.ready.clear();
        for (slot, interest) in slots.armed() {
            match slot.descriptor() {
                Some(fd) => {
                    asked.insert(fd, interest);
                    self.watched.push((slot.key().bits(), fd.as_raw_fd()));
                }
                // Its owner is told, and learns the cause when he modifies or unregisters it.
                None => self.ready.push(answer(slot.key().bits(), Readiness::ERROR)),
            }
        }
        if let Some(bell) = bell {
            asked.insert(bell, Interest::READ);
            self.watched.push((NOTIFIER, bell.as_raw_fd()));
        }
        asked.wait(if self.ready.is_empty() { timeout } else { Some(Duration::ZERO) })?;
        let answers = self.watched.iter().map(|&(key, fd)| (key, self.sets.seen(fd)));
        let answers = answers.filter(|(_, seen)| !seen.is_empty());
        self.ready.extend(answers.map(|(key, seen)| answer(key, seen)));
        Ok(())
    }

    /// What the last wait brought.
    pub(crate) fn answers(&self) -> &[Answer] {
        &self.ready
    }
}

/// The memory of three sets of descriptors, as large as their largest member demands.
#[derive(Default)]
pub(crate) struct Sets {
    read: Vec<FdSetElement>,
    write: Vec<FdSetElement>,
    except: Vec<FdSetElement>,
    /// What each descriptor was found ready for by the last wait.
    seen: Vec<Readiness>,
}

/// Three sets while they are filled. It borrows the descriptors, so they are open in the wait.
pub(crate) struct Asked<'s, 'fd> {
    sets: &'s mut Sets,
    /// One more than the largest descriptor in the sets.
    bound: RawFd,
    borrowed: PhantomData<BorrowedFd<'fd>>,
}

impl Sets {
    /// Three empty sets in this memory.
    pub(crate) fn ask<'fd>(&mut self) -> Asked<'_, 'fd> {
        for set in [&mut self.read, &mut self.write, &mut self.except] {
            set.clear();
        }
        Asked { sets: self, bound: 0, borrowed: PhantomData }
    }

    /// What the last wait found `fd` ready for.
    pub(crate) fn seen(&self, fd: RawFd) -> Readiness {
        self.seen.get(fd as usize).copied().unwrap_or_default()
    }
}

impl<'fd> Asked<'_, 'fd> {
    pub(crate) fn insert(&mut self, fd: BorrowedFd<'fd>, interest: Interest) {
        let fd = fd.as_raw_fd();
        self.bound = self.bound.max(fd + 1);
        let elements = fd_set_num_elements(1, self.bound);
        for (set, is_asked) in [
            (&mut self.sets.read, interest.is_readable()),
            (&mut self.sets.write, interest.is_writable()),
            (&mut self.sets.except, interest.is_priority()),
        ] {
            if set.len() < elements {
                set.resize(elements, FdSetElement::default());
            }
            if is_asked {
                fd_set_insert(set, fd);
            }
        }
    }

    /// Waits until a descriptor is ready, and says whether one is. One system call.
    pub(crate) fn wait(self, timeout: Option<Duration>) -> io::Result<bool> {
        let Sets { read, write, except, seen } = self.sets;
        let timeout = timeout.and_then(|left| Timespec::try_from(left).ok());
        // SAFETY: the descriptors in the sets are open, since `self` borrows them; and each set
        // has a place for each descriptor below `bound`, since `insert` makes all three as large
        // as the largest descriptor needs.
        let count =
            unsafe { select(self.bound, Some(read), Some(write), Some(except), timeout.as_ref())? };
        seen.clear();
        seen.resize(self.bound as usize, Readiness::EMPTY);
        for (set, meaning) in
            [(read, Readiness::READ), (write, Readiness::WRITE), (except, Readiness::PRIORITY)]
        {
            FdSetIter::new(set).for_each(|fd| seen[fd as usize] |= meaning);
        }
        Ok(count > 0)
    }
}
