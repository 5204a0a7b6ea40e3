//! The `polling` crate.
#![allow(unsafe_code)]

use std::error::Error;
use std::hint::black_box;
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsRawFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use polling::{Event, Events, PollMode, Poller};

use crate::watcher::Watcher;

pub(crate) struct Polling {
    poller: Poller,
    events: Events,
    /// What is registered, so that it stays open for as long.
    sources: Vec<Rc<OwnedFd>>,
}

impl Watcher for Polling {
    type Key = ();

    fn open(events: usize) -> io::Result<Polling> {
        let events = Events::with_capacity(NonZeroUsize::new(events).unwrap_or(NonZeroUsize::MIN));
        Ok(Polling { poller: Poller::new()?, events, sources: Vec::new() })
    }

    fn register(&mut self, source: &Rc<OwnedFd>, number: usize) -> Result<(), Box<dyn Error>> {
        let interest = Event::readable(number);
        // SAFETY: the descriptor must stay open until it is deleted from the poller. `sources` keeps
        // it open until then, or until the poller is dropped, which comes first.
        unsafe { self.poller.add_with_mode(source.as_raw_fd(), interest, PollMode::Level)? };
        self.sources.push(Rc::clone(source));
        Ok(())
    }

    /// The source is mostly the one that was registered last.
    fn unregister(&mut self, source: &Rc<OwnedFd>, (): ()) -> Result<(), Box<dyn Error>> {
        let place = self.sources.iter().rposition(|known| Rc::ptr_eq(known, source));
        let place = place.ok_or("it is not registered")?;
        self.poller.delete(source)?;
        self.sources.swap_remove(place);
        Ok(())
    }

    #[inline]
    fn look(&mut self) -> io::Result<usize> {
        self.events.clear();
        self.poller.wait(&mut self.events, Some(Duration::ZERO))?;
        let mut count = 0;
        for event in self.events.iter() {
            black_box(event.key);
            count += 1;
        }
        Ok(count)
    }
}
