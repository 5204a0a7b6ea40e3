//! What one wait reports.

use std::fmt;

use crate::key::Key;
use crate::readiness::Readiness;

/// One report: a registration and what its source is ready for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// The registration, as [`Selector::register`](crate::Selector::register) named it.
    pub key: Key,
    /// What the source is ready for; never empty.
    pub readiness: Readiness,
}

/// A buffer of [`Event`]s that the caller keeps and [`Selector::select`](crate::Selector::select)
/// fills.
///
/// It borrows nothing, so the selector is free for registering and unregistering while the events
/// are gone through. It grows as needed and keeps its memory: 16 bytes an event.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use poll::{Events, Interest, Selector};
///
/// let (reader, writer) = std::io::pipe()?;
/// let mut selector = Selector::<std::os::fd::OwnedFd>::new()?;
/// selector.register(writer.into(), Interest::WRITE, ())?;
///
/// let mut events = Events::new();
/// selector.select(&mut events, None)?;
/// for event in &events {
///     let (_writer, ()) = selector.unregister(event.key)?;
/// }
/// assert!(selector.is_empty());
/// # drop(reader);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Events {
    /// The events of the last wait, and behind them what earlier, larger ones left: places that
    /// are filled once need not be filled again before they can be written to.
    places: Vec<Event>,
    len: usize,
}

impl Events {
    /// An empty buffer. Allocates at the first event.
    pub const fn new() -> Self {
        Self {
            places: Vec::new(),
            len: 0,
        }
    }

    /// An empty buffer with room for `capacity` events.
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            places: Vec::with_capacity(capacity),
            len: 0,
        }
    }

    /// How many events the last wait reported.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the last wait reported nothing.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The events in the order in which the kernel named them.
    pub fn iter(&self) -> std::iter::Copied<std::slice::Iter<'_, Event>> {
        self.places[..self.len].iter().copied()
    }

    #[inline]
    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    /// Room for `count` events, to be written from the start and then kept.
    #[inline]
    pub(crate) fn room(&mut self, count: usize) -> &mut [Event] {
        self.len = 0;
        if self.places.len() < count {
            self.places.resize(count, NOTHING);
        }
        &mut self.places[..count]
    }

    /// Keeps the first `count` of the events that were written.
    #[inline]
    pub(crate) fn keep(&mut self, count: usize) {
        self.len = count.min(self.places.len());
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

impl<'a> IntoIterator for &'a Events {
    type Item = Event;
    type IntoIter = std::iter::Copied<std::slice::Iter<'a, Event>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// What a place holds before its first event.
const NOTHING: Event = Event {
    key: Key::first(u32::MAX),
    readiness: Readiness::EMPTY,
};
