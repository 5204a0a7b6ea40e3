//! Registrations, and waiting for them.

use std::fmt;
use std::io;
#[cfg(unix)]
use std::os::fd::BorrowedFd;
use std::time::Duration;

use crate::backend::{Backend, Driver, Watch};
use crate::counters::Counters;
use crate::deadline::Deadline;
use crate::error::{Refusal, RegisterError, StaleKey};
use crate::events::{Event, Events};
use crate::interest::{Interest, Mode};
use crate::key::Key;
use crate::notifier::Notifier;
use crate::numbers::Numbers;
use crate::readiness::Readiness;
use crate::registration::Registration;
use crate::slots::{Batch, Slot, Slots};
use crate::source::{Number, Source, descriptor, number};

/// Waits until at least one of many sources is ready.
///
/// A selector owns the sources of type `S`: by value, in an [`Rc`](std::rc::Rc) or
/// [`Arc`](std::sync::Arc), or borrowed for as long as it lives. It lends them out by `&` only,
/// so that none can close under it. With each source it keeps data of type `D`, as the
/// `SelectorKey.data` of [Python's `selectors`](https://docs.python.org/3/library/selectors.html).
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use poll::{Events, Interest, Selector};
/// use std::io::Write;
///
/// let (reader, mut writer) = std::io::pipe()?;
/// let mut selector = Selector::new()?;
/// let key = selector.register(reader, Interest::READ, "the pipe")?;
///
/// writer.write_all(b"hello")?;
/// let mut events = Events::new();
/// selector.select(&mut events, None)?;
///
/// let event = events.iter().next().expect("the pipe is readable");
/// assert_eq!(event.key, key);
/// assert!(event.readiness.is_readable());
/// assert_eq!(selector.get(key).map(|found| *found.data()), Some("the pipe"));
/// # Ok(())
/// # }
/// ```
pub struct Selector<S: Source, D = ()> {
    driver: Driver,
    notifier: Notifier,
    slots: Slots<S, D>,
    /// The descriptors that are registered, disarmed ones included, so that every backend
    /// refuses the same one twice.
    numbers: Numbers,
    counters: Counters,
}

impl<S: Source, D> Selector<S, D> {
    /// A selector with the best backend of this platform.
    ///
    /// # Errors
    ///
    /// If the process or the system has no descriptors left.
    pub fn new() -> io::Result<Self> {
        Self::with_backend(Backend::available()[0])
    }

    /// A selector with the given backend.
    ///
    /// # Errors
    ///
    /// [`Refusal::MissingBackend`] if this platform lacks it; otherwise as [`new`](Self::new).
    pub fn with_backend(backend: Backend) -> io::Result<Self> {
        let (driver, notifier) = Driver::open(backend)?;
        let (slots, numbers) = (Slots::new(), Numbers::default());
        Ok(Self { driver, notifier, slots, numbers, counters: Counters::default() })
    }

    /// The backend in use.
    pub fn backend(&self) -> Backend {
        self.driver.backend()
    }

    /// Whether [`register_with`](Self::register_with) accepts `mode`. Every backend accepts
    /// [`Mode::Level`] and [`Mode::OneShot`]; epoll and kqueue accept [`Mode::Edge`].
    pub fn supports(&self, mode: Mode) -> bool {
        self.driver.supports(mode)
    }

    /// Registers a source in [`Mode::Level`]; see [`register_with`](Self::register_with).
    ///
    /// # Errors
    ///
    /// As [`register_with`](Self::register_with).
    pub fn register(
        &mut self,
        source: S,
        interest: Interest,
        data: D,
    ) -> Result<Key, RegisterError<S, D>> {
        self.register_with(source, interest, Mode::Level, data)
    }

    /// Registers a source: from now on, waits report it when it is ready for `interest`.
    ///
    /// The source need not be non-blocking, but a read or write that blocks stops the whole loop.
    /// The selector remembers the source's descriptor; a source that later names another one is
    /// an error, not a surprise. With epoll or the native backend this takes one system call.
    ///
    /// # Errors
    ///
    /// Gives the source and the data back. Inside is a [`Refusal`]:
    /// [`NotPollable`](Refusal::NotPollable) for a file or directory,
    /// [`AlreadyRegistered`](Refusal::AlreadyRegistered),
    /// [`NoSuchMode`](Refusal::NoSuchMode), [`NoPriority`](Refusal::NoPriority),
    /// [`Full`](Refusal::Full); or the kernel's error, such as when a limit on watches is reached.
    pub fn register_with(
        &mut self,
        source: S,
        interest: Interest,
        mode: Mode,
        data: D,
    ) -> Result<Key, RegisterError<S, D>> {
        match self.watch(&source, interest, mode) {
            Ok((key, number)) => {
                self.slots.fill(key, number, interest, mode, (source, data));
                Ok(key)
            }
            Err(error) => Err(RegisterError::new(error, source, data)),
        }
    }

    /// Changes what a registration waits for. `None` disarms it: source and data stay, and
    /// nothing is reported, hangups included. An interest arms it, or arms it again.
    ///
    /// In [`Mode::Edge`], what is ready at this time counts as news.
    ///
    /// # Errors
    ///
    /// [`Refusal::StaleKey`], [`Refusal::SourceChanged`] and [`Refusal::NoPriority`] change
    /// nothing. If the kernel fails, the registration keeps its source and data and is disarmed,
    /// and may be modified again.
    pub fn modify(&mut self, key: Key, interest: impl Into<Option<Interest>>) -> io::Result<()> {
        let slot = self.slots.get_mut(key).ok_or(Refusal::StaleKey(key))?;
        match interest.into() {
            Some(interest) => arm(&self.driver, key, slot, interest),
            None => disarm(&self.driver, key, slot),
        }
    }

    /// Replaces a registration's data and returns what it was.
    ///
    /// # Errors
    ///
    /// If the registration is gone; gives the data back.
    pub fn modify_data(&mut self, key: Key, data: D) -> Result<D, StaleKey<D>> {
        match self.slots.get_mut(key).and_then(Slot::data_mut) {
            Some(present) => Ok(std::mem::replace(present, data)),
            None => Err(StaleKey::new(key, data)),
        }
    }

    /// Ends a registration and returns its source and data. With epoll or the native backend this
    /// takes one system call.
    ///
    /// # Errors
    ///
    /// [`Refusal::StaleKey`]; [`Refusal::SourceChanged`], since the kernel can only be told to
    /// forget a descriptor that is at hand; or the kernel's error. The last two leave the
    /// registration as it was, and [`discard`](Self::discard) ends it.
    pub fn unregister(&mut self, key: Key) -> io::Result<(S, D)> {
        let slot = self.slots.get(key).ok_or(Refusal::StaleKey(key))?.slot;
        let descriptor = slot.descriptor().ok_or(Refusal::SourceChanged(key))?;
        if slot.is_known {
            self.driver.remove(descriptor)?;
        }
        self.forget(key).ok_or_else(|| Refusal::StaleKey(key).into())
    }

    /// Ends the registration of a source that the caller closes right away, and returns it.
    /// `None` if it is gone already.
    ///
    /// In [`Mode::Edge`] with epoll this takes no system call: the kernel forgets a descriptor
    /// that closes. Otherwise it does what [`unregister`](Self::unregister) does.
    ///
    /// If the source is not closed, or a duplicate of its descriptor keeps it open, the kernel
    /// goes on naming it at each edge. Those events are dropped and counted as
    /// [`stale`](Counters::stale); they cost time, but never reach the caller.
    pub fn discard(&mut self, key: Key) -> Option<(S, D)> {
        let slot = self.slots.get(key)?.slot;
        let is_left_to_close = slot.mode == Mode::Edge && self.driver.forgets_closed();
        if slot.is_known
            && !is_left_to_close
            && let Some(descriptor) = slot.descriptor()
        {
            // What the kernel does not forget now, it forgets when the descriptor closes.
            _ = self.driver.remove(descriptor);
        }
        self.forget(key)
    }

    /// The registration of `key`, unless it is gone. An index and a comparison: cheap enough for
    /// every event.
    #[inline]
    pub fn get(&self, key: Key) -> Option<Registration<'_, S, D>> {
        self.slots.get(key)
    }

    /// All registrations, disarmed ones included, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = Registration<'_, S, D>> {
        self.slots.iter()
    }

    /// How many registrations there are, disarmed ones included.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether nothing is registered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits until a source is ready, the time is up, or a [`Notifier`] ends the wait; replaces
    /// what is in `events` and returns how many there are.
    ///
    /// Without a timeout it waits for ever; a timeout of zero looks and returns at once. Any
    /// other wait that brings nothing and is not notified lasts at least as long as the timeout,
    /// even with nothing registered, and even if signals interrupt it. It ends late by what the
    /// kernel's timer takes: with epoll before Linux 5.11 that is up to a millisecond.
    ///
    /// One system call for one wait. An interrupted wait resumes; one that brings only events to
    /// be dropped goes on.
    ///
    /// # Errors
    ///
    /// If the kernel fails, which takes a source whose descriptor closed, or no memory.
    pub fn select(&mut self, events: &mut Events, timeout: Option<Duration>) -> io::Result<usize> {
        events.clear();
        self.select_each(timeout, |registration, readiness| {
            let key = registration.key();
            events.push(Event { key, readiness });
        })
    }

    /// As [`select`](Self::select), but tells `each` of every event, with its registration, which
    /// saves the buffer and the look-up. The selector is borrowed meanwhile, so `each` notes what
    /// is to be done and leaves registering and unregistering for later.
    ///
    /// A panic in `each` loses the rest of the batch.
    ///
    /// # Errors
    ///
    /// As [`select`](Self::select).
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// use std::io::Write;
    /// use poll::{Interest, Selector};
    ///
    /// let (reader, mut writer) = std::io::pipe()?;
    /// let mut selector = Selector::new()?;
    /// selector.register(reader, Interest::READ, "the pipe").map_err(|e| e.into_parts().0)?;
    /// writer.write_all(b"!")?;
    ///
    /// let mut ready = Vec::new();
    /// selector.select_each(None, |registration, _| ready.push(*registration.data()))?;
    /// assert_eq!(ready, ["the pipe"]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn select_each(
        &mut self,
        timeout: Option<Duration>,
        mut each: impl FnMut(Registration<'_, S, D>, Readiness),
    ) -> io::Result<usize> {
        self.counters.selects += 1;
        let mut deadline = Deadline::new(timeout);
        loop {
            let (events, is_notified) = self.wait(deadline.left(), &mut each)?;
            if events > 0 || is_notified || deadline.is_over() {
                return Ok(events);
            }
        }
    }

    /// A handle with which other threads end a wait.
    pub fn notifier(&self) -> Notifier {
        self.notifier.clone()
    }

    /// What the selector has done so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// The descriptor that is readable while a wait would return at once, to wait for this
    /// selector inside another loop. epoll and kqueue have one.
    #[cfg(unix)]
    pub fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.driver.descriptor()
    }

    /// Has the driver watch `source` under the key of the next vacancy.
    fn watch(&mut self, source: &S, interest: Interest, mode: Mode) -> io::Result<(Key, Number)> {
        if !self.driver.supports(mode) {
            return Err(Refusal::NoSuchMode(self.backend(), mode).into());
        }
        refuse_priority(&self.driver, interest)?;
        let key = self.slots.vacancy().ok_or(Refusal::Full)?;
        let descriptor = descriptor(source);
        let number = number(descriptor);
        if self.numbers.contains(number) {
            return Err(Refusal::AlreadyRegistered.into());
        }
        self.driver.add(Watch { descriptor, key, interest, mode })?;
        self.numbers.insert(number);
        Ok((key, number))
    }

    /// Removes what the selector itself knows of a registration.
    fn forget(&mut self, key: Key) -> Option<(S, D)> {
        let slot = self.slots.get(key)?.slot;
        self.numbers.remove(slot.number());
        self.slots.remove(key)
    }

    /// One system call: how many events it brought, and whether the notifier rang.
    #[inline]
    fn wait(
        &mut self,
        timeout: Option<Duration>,
        each: &mut impl FnMut(Registration<'_, S, D>, Readiness),
    ) -> io::Result<(usize, bool)> {
        let (waited, answers) = self.driver.wait(timeout, &self.notifier, &self.slots);
        let mut batch =
            Batch { slots: &mut self.slots, each, events: 0, is_notified: false, stale: 0 };
        batch.report(answers);
        let (events, is_notified, stale) = (batch.events, batch.is_notified, batch.stale);
        self.counters.waits += 1;
        self.counters.stale += stale;
        self.counters.events += events;
        if let Err(error) = waited {
            self.resume_after(error)?;
        }
        let is_notified = is_notified && self.notifier.take();
        self.counters.notifications += u64::from(is_notified);
        Ok((events as usize, is_notified))
    }

    #[cold]
    fn resume_after(&mut self, error: io::Error) -> io::Result<()> {
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
        self.counters.interruptions += 1;
        Ok(())
    }
}

impl<S: Source, D> Drop for Selector<S, D> {
    fn drop(&mut self) {
        self.driver.remove_all(&self.slots);
    }
}

impl<S: Source, D> fmt::Debug for Selector<S, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Selector")
            .field("backend", &self.backend())
            .field("len", &self.len())
            .field("counters", &self.counters)
            .finish_non_exhaustive()
    }
}

/// Has the kernel watch for `interest`. After a failure the kernel's entry, whole, half or gone, is
/// taken out, so that the registration is plainly disarmed.
fn arm<S: Source, D>(
    driver: &Driver,
    key: Key,
    slot: &mut Slot<S, D>,
    interest: Interest,
) -> io::Result<()> {
    refuse_priority(driver, interest)?;
    let descriptor = slot.descriptor().ok_or(Refusal::SourceChanged(key))?;
    let mode = slot.mode;
    let watch = Watch { descriptor, key, interest, mode };
    let armed = if slot.is_known { driver.modify(watch) } else { driver.add(watch) };
    if armed.is_err() {
        _ = driver.remove(descriptor);
    }
    slot.is_known = armed.is_ok();
    slot.interest = armed.is_ok().then_some(interest);
    armed
}

/// Takes the descriptor out of the kernel's hands: an entry that asks for nothing would still
/// report hangups. A one-shot that fired reports nothing, so its entry may stay.
fn disarm<S: Source, D>(driver: &Driver, key: Key, slot: &mut Slot<S, D>) -> io::Result<()> {
    let descriptor = slot.descriptor().ok_or(Refusal::SourceChanged(key))?;
    if slot.interest.is_some() {
        driver.remove(descriptor)?;
        slot.is_known = false;
        slot.interest = None;
    }
    Ok(())
}

fn refuse_priority(driver: &Driver, interest: Interest) -> io::Result<()> {
    if interest.is_priority() && !driver.has_priority() {
        return Err(Refusal::NoPriority(driver.backend()).into());
    }
    Ok(())
}
