//! A look at one registration.

use std::fmt;

use crate::interest::{Interest, Mode};
use crate::key::Key;
use crate::slots::Slot;
use crate::source::Source;

/// A registration, as [`Selector::get`](crate::Selector::get) finds it.
pub struct Registration<'a, S, D = ()> {
    pub(crate) slot: &'a Slot<S, D>,
    pub(crate) tenant: &'a (S, D),
}

impl<'a, S: Source, D> Registration<'a, S, D> {
    /// The key under which it was found.
    pub fn key(&self) -> Key {
        self.slot.key()
    }

    /// The source.
    #[inline]
    pub fn source(&self) -> &'a S {
        &self.tenant.0
    }

    /// The data.
    #[inline]
    pub fn data(&self) -> &'a D {
        &self.tenant.1
    }

    /// What it waits for; `None` while it is disarmed.
    pub fn interest(&self) -> Option<Interest> {
        self.slot.interest
    }

    /// How often it reports.
    pub fn mode(&self) -> Mode {
        self.slot.mode
    }
}

impl<S, D> Clone for Registration<'_, S, D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S, D> Copy for Registration<'_, S, D> {}

impl<S: Source, D> fmt::Debug for Registration<'_, S, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration")
            .field("key", &self.key())
            .field("interest", &self.interest())
            .field("mode", &self.mode())
            .finish_non_exhaustive()
    }
}
