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
    list: Vec<Event>,
}

impl Events {
    /// An empty buffer. Allocates at the first event.
    pub const fn new() -> Self {
        Self { list: Vec::new() }
    }

    /// An empty buffer with room for `capacity` events.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { list: Vec::with_capacity(capacity) }
    }

    /// How many events the last wait reported.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether the last wait reported nothing.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The events in the order in which the kernel named them.
    pub fn iter(&self) -> std::iter::Copied<std::slice::Iter<'_, Event>> {
        self.list.iter().copied()
    }

    pub(crate) fn clear(&mut self) {
        self.list.clear();
    }

    #[inline]
    pub(crate) fn push(&mut self, event: Event) {
        self.list.push(event);
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
