//! Our own selectors.

use std::error::Error;
use std::hint::black_box;
use std::io;
use std::marker::PhantomData;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use poll::{Backend, Events, Interest, Key, Mode, Selector};

use crate::watcher::Watcher;

/// A selector with one of the backends.
pub(crate) struct Ours<B> {
    selector: Selector<Rc<OwnedFd>, usize>,
    events: Events,
    backend: PhantomData<B>,
}

/// Which backend, and in which mode sources are registered.
pub(crate) trait Choice: 'static {
    const BACKEND: Backend;
    const MODE: Mode = Mode::Level;
}

pub(crate) struct ByEpoll;
pub(crate) struct ByEdge;
pub(crate) struct ByNative;
pub(crate) struct ByPoll;
pub(crate) struct BySelect;

pub(crate) type Epoll = Ours<ByEpoll>;
pub(crate) type Edge = Ours<ByEdge>;
pub(crate) type Native = Ours<ByNative>;
pub(crate) type Poll = Ours<ByPoll>;
pub(crate) type Select = Ours<BySelect>;

impl Choice for ByEpoll {
    const BACKEND: Backend = Backend::Epoll;
}

impl Choice for ByEdge {
    const BACKEND: Backend = Backend::Epoll;
    const MODE: Mode = Mode::Edge;
}

impl Choice for ByNative {
    const BACKEND: Backend = Backend::Native;
}

impl Choice for ByPoll {
    const BACKEND: Backend = Backend::Poll;
}

impl Choice for BySelect {
    const BACKEND: Backend = Backend::Select;
}

impl<B: Choice> Watcher for Ours<B> {
    type Key = Key;

    fn open(events: usize) -> io::Result<Self> {
        let selector = Selector::with_backend(B::BACKEND)?;
        Ok(Ours { selector, events: Events::with_capacity(events), backend: PhantomData })
    }

    fn register(&mut self, source: &Rc<OwnedFd>, number: usize) -> Result<Key, Box<dyn Error>> {
        let registered =
            self.selector.register_with(Rc::clone(source), Interest::READ, B::MODE, number);
        registered.map_err(|refused| refused.into_parts().0.into())
    }

    fn unregister(&mut self, _: &Rc<OwnedFd>, key: Key) -> Result<(), Box<dyn Error>> {
        drop(self.selector.unregister(key)?);
        Ok(())
    }

    #[inline]
    fn look(&mut self) -> io::Result<usize> {
        self.selector.select(&mut self.events, Some(Duration::ZERO))?;
        for event in &self.events {
            black_box(event.key);
        }
        Ok(self.events.len())
    }
}
