//! What the `polling` crate chooses for the platform: kqueue, IOCP, event ports, or epoll.
#![allow(unsafe_code)]

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use polling::{Event, PollMode, Poller};

use super::Watch;
use super::answer::{Answer, answer};
use crate::interest::Mode;
use crate::key::{Key, NOTIFIER};
use crate::notifier::Notifier;
use crate::readiness::Readiness;
use crate::slots::{Slot, Slots};
use crate::source::{Descriptor, Source, number};

/// A poller, and what its interface leaves to its user.
pub(crate) struct Native {
    poller: Arc<Poller>,
    ready: polling::Events,
    /// What `ready` says, in the terms of the selector.
    seen: Vec<Answer>,
    /// What to ask for where reading is asked for; see [`plain_read`].
    read: Event,
    /// Whether the poller keeps level mode by itself. Event ports do not.
    has_level: bool,
    /// Registrations of level mode that fired, to be armed again before the next wait, where the
    /// poller does not keep level mode by itself.
    fired: Vec<Key>,
}

impl Native {
    pub(crate) fn new() -> io::Result<(Self, Notifier)> {
        let poller = Arc::new(Poller::new()?);
        let native = Self {
            read: plain_read(&poller)?,
            has_level: poller.supports_level(),
            ready: polling::Events::with_capacity(FIRST_BATCH),
            seen: Vec::new(),
            fired: Vec::new(),
            poller,
        };
        let notifier = Notifier::with_poller(Arc::clone(&native.poller));
        Ok((native, notifier))
    }

    pub(crate) fn has_edge(&self) -> bool {
        self.poller.supports_edge()
    }

    /// Tells the kernel about a descriptor that the selector does not hold yet. The poller may
    /// still have its number, from a source that let its descriptor close; then the entry is
    /// taken over.
    pub(crate) fn add(&self, watch: Watch<'_>) -> io::Result<()> {
        let (event, mode) = (self.event(watch), self.mode(watch.mode));
        let Watch { descriptor, .. } = watch;
        // SAFETY: what is added must be deleted before it is closed. The selector owns the source,
        // lends it out by `&` only, deletes it before it gives it back, and deletes all that are
        // left before it is dropped. A selector that is forgotten keeps its own sources open, and
        // with those that it borrowed nobody can wait any more. There remains a source that closes
        // its descriptor behind a shared reference, with a `RefCell`: the kernels that the poller
        // uses here forget what closes, so that the poller is left with a number it does nothing
        // with, and `add` takes over the number's entry when it comes again.
        let added = unsafe { self.poller.add_with_mode(number(descriptor), event, mode) };
        match added {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.poller.modify_with_mode(descriptor, event, mode)
            }
            added => added,
        }
    }

    /// Changes what the kernel waits for. An entry that it dropped, because the source closed its
    /// descriptor and opened another one under the same number, is made anew.
    pub(crate) fn modify(&self, watch: Watch<'_>) -> io::Result<()> {
        let (event, mode) = (self.event(watch), self.mode(watch.mode));
        let modified = self.poller.modify_with_mode(watch.descriptor, event, mode);
        match modified {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.add(watch),
            modified => modified,
        }
    }

    pub(crate) fn remove(&self, descriptor: Descriptor<'_>) -> io::Result<()> {
        self.poller.delete(descriptor)
    }

    /// Forgets every registration. The poller may outlive the selector in a notifier, but must
    /// not outlive what is registered with it.
    pub(crate) fn remove_all<S: Source, D>(&self, slots: &Slots<S, D>) {
        for found in slots.iter().filter(|found| found.slot.is_known) {
            if let Some(descriptor) = found.slot.descriptor() {
                _ = self.poller.delete(descriptor);
            }
        }
    }

    #[inline(never)]
    pub(crate) fn wait<S: Source, D>(
        &mut self,
        timeout: Option<Duration>,
        slots: &Slots<S, D>,
    ) -> io::Result<()> {
        self.arm_fired(slots)?;
        if self.ready.len() == self.ready.capacity().get() {
            let more = self.ready.capacity().saturating_mul(GROWTH);
            self.ready = polling::Events::with_capacity(more);
        }
        self.ready.clear();
        self.seen.clear();
        self.poller.wait(&mut self.ready, timeout)?;
        // The poller does not say why it woke.
        self.seen.push(answer(NOTIFIER, Readiness::EMPTY));
        for event in self.ready.iter() {
            let key = slots.carried(event.key);
            let Some(found) = key.and_then(|key| slots.get(key)) else {
                // Nobody has this key: it will be counted as stale.
                self.seen.push(answer(event.key as u64, Readiness::EMPTY));
                continue;
            };
            if !self.has_level && found.mode() == Mode::Level {
                self.fired.push(found.key());
            }
            let seen = readiness(&event, found.slot);
            self.seen.push(answer(found.key().bits(), seen));
        }
        Ok(())
    }

    /// What the last wait brought.
    pub(crate) fn answers(&self) -> &[Answer] {
        &self.seen
    }

    #[cfg(unix)]
    pub(crate) fn descriptor(&self) -> Option<Descriptor<'_>> {
        use std::os::fd::AsFd;
        Some(self.poller.as_fd())
    }

    /// Does what the kernel lacks for level mode.
    fn arm_fired<S: Source, D>(&mut self, slots: &Slots<S, D>) -> io::Result<()> {
        while let Some(key) = self.fired.pop() {
            if let Some(slot) = slots.get(key).map(|found| found.slot)
                && let (Some(interest), Some(descriptor)) = (slot.interest, slot.descriptor())
            {
                let mode = Mode::Level;
                self.modify(Watch { descriptor, key, interest, mode })?;
            }
        }
        Ok(())
    }

    fn mode(&self, mode: Mode) -> PollMode {
        match mode {
            Mode::Level if self.has_level => PollMode::Level,
            Mode::Level | Mode::OneShot => PollMode::Oneshot,
            Mode::Edge => PollMode::Edge,
        }
    }

    /// What the poller is asked for. On a 32-bit system the key loses its generation here. None
    /// is missed: a registration is deleted before its slot is free, and each batch is gone
    /// through before anybody can delete anything.
    fn event(&self, watch: Watch<'_>) -> Event {
        let Watch { key, interest, mode, .. } = watch;
        let mut event = if interest.is_readable() { self.read } else { Event::none(0) };
        event.key = key.bits() as usize;
        event.writable = interest.is_writable();
        let unasked = mode == Mode::Edge && interest.is_readable();
        event.set_priority(interest.is_priority() || unasked);
        event
    }
}

fn readiness<S: Source, D>(event: &Event, slot: &Slot<S, D>) -> Readiness {
    let is_error = event.is_err() == Some(true);
    let is_broken = is_error || event.is_interrupt();
    // The poller counts priority data as something to read.
    let is_readable = event.readable && (!event.is_priority() || is_broken || has_plain_data(slot));
    Readiness::READ.when(is_readable)
        | Readiness::WRITE.when(event.writable)
        | Readiness::PRIORITY.when(event.is_priority())
        | Readiness::ERROR.when(is_error)
        | Readiness::HANGUP.when(event.is_interrupt())
}

/// Whether there is something to read besides priority data. A system call, but urgent bytes are
/// rare.
#[cfg(unix)]
#[cold]
fn has_plain_data<S: Source, D>(slot: &Slot<S, D>) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let Some(descriptor) = slot.descriptor() else {
        return true;
    };
    let mut fds = [PollFd::from_borrowed_fd(descriptor, PollFlags::IN)];
    poll(&mut fds, Some(&Timespec::default())).is_ok_and(|count| count == 1)
}

/// Windows has no cheap way to tell. A read that finds nothing says so.
#[cfg(windows)]
fn has_plain_data<S: Source, D>(_: &Slot<S, D>) -> bool {
    true
}

/// What to ask for in order to hear of what can be read, and of that alone.
///
/// `Event::readable` asks epoll for priority data too: in level mode, an urgent byte that nobody
/// asked for would then end every wait at once. An event that the kernel reported carries its
/// plain flags along, and so can be asked for: this reports one.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn plain_read(poller: &Poller) -> io::Result<Event> {
    use rustix::event::{EventfdFlags, eventfd};
    let ready = eventfd(1, EventfdFlags::CLOEXEC)?;
    // SAFETY: deleted below, before `ready` closes; and epoll forgets what closes.
    unsafe { poller.add(&ready, Event::readable(0))? };
    let mut events = polling::Events::with_capacity(NonZeroUsize::MIN.saturating_add(1));
    poller.wait(&mut events, Some(Duration::ZERO))?;
    poller.delete(&ready)?;
    let mut plain = events.iter().next().ok_or(io::ErrorKind::Other)?;
    plain.readable = false;
    Ok(plain)
}

/// What to ask for in order to hear of what can be read.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn plain_read(_: &Poller) -> io::Result<Event> {
    Ok(Event::readable(0))
}

/// Events that the first waits can bring; a wait that brings as many makes room for more.
const FIRST_BATCH: NonZeroUsize = NonZeroUsize::new(256).unwrap();

/// How much more room then.
const GROWTH: NonZeroUsize = NonZeroUsize::new(2).unwrap();

#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
mod tests {
    use super::*;
    use crate::interest::Interest;
    use crate::registration::Registration;
    use crate::slots::Batch;
    use crate::source::descriptor;
    use std::io::Write;

    /// Waits as event ports do, which keep no level mode, and returns how many events came.
    fn wait(native: &mut Native, slots: &mut Slots<io::PipeReader, ()>) -> u64 {
        native.wait(Some(Duration::ZERO), slots).expect("a wait");
        let mut batch = Batch {
            slots,
            each: &mut |_: Registration<'_, _, _>, _| (),
            events: 0,
            is_notified: false,
            stale: 0,
        };
        batch.report(native.answers());
        batch.events
    }

    #[test]
    fn level_mode_is_made_from_one_shots_where_the_kernel_lacks_it() {
        let (mut native, _notifier) = Native::new().expect("a poller");
        native.has_level = false;
        let (reader, mut writer) = io::pipe().expect("a pipe");
        let (mut slots, fd) = (Slots::new(), number(descriptor(&reader)));
        let key = slots.vacancy().expect("a vacancy");
        let (interest, mode) = (Interest::READ, Mode::Level);
        let descriptor = descriptor(&reader);
        native.add(Watch { descriptor, key, interest, mode }).expect("added");
        slots.fill(key, fd, interest, mode, (reader, ()));
        assert_eq!(wait(&mut native, &mut slots), 0);
        writer.write_all(b"hello").expect("a write");
        for _ in 0..3 {
            assert_eq!(wait(&mut native, &mut slots), 1);
        }
        slots.get_mut(key).expect("registered").interest = None;
        assert_eq!(wait(&mut native, &mut slots), 0);
        assert_eq!(wait(&mut native, &mut slots), 0);
        slots.remove(key);
        assert_eq!(wait(&mut native, &mut slots), 0);
    }
}
