//! The name of a registration.

use std::fmt;
use std::num::NonZeroU64;

/// The name of a registration: a slot and the generation of its tenant, in 64 bits.
///
/// A key outlives its registration without harm. Once the registration is gone the key finds
/// nothing, even when the slot has a new tenant; a slot that ran through its generations, 2³² - 1
/// of them, is never used again. A key means nothing to another selector. `Option<Key>` takes 64
/// bits too.
///
/// The index is the low half, so that a 32-bit system that cuts the key in two keeps it. The
/// generation is the high half and never zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(NonZeroU64);

impl Key {
    /// The key of a slot's first tenant.
    pub(crate) const fn first(index: u32) -> Self {
        match Self::from_bits(GENERATION | index as u64) {
            Some(key) => key,
            None => unreachable!(),
        }
    }

    /// The key of the slot's next tenant, unless this was the last generation.
    pub(crate) const fn next(self) -> Option<Self> {
        match self.0.checked_add(GENERATION) {
            Some(next) => Some(Self(next)),
            None => None,
        }
    }

    /// The slot.
    pub(crate) const fn index(self) -> usize {
        self.bits() as u32 as usize
    }

    /// What the kernel carries.
    pub(crate) const fn bits(self) -> u64 {
        self.0.get()
    }

    /// What the kernel carried.
    pub(crate) const fn from_bits(bits: u64) -> Option<Self> {
        match NonZeroU64::new(bits) {
            Some(bits) => Some(Self(bits)),
            None => None,
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({}.{})", self.index(), self.bits() >> 32)
    }
}

/// What the kernel carries for the notifier. No registration has this index.
pub(crate) const NOTIFIER: u64 = u64::MAX;

/// One generation, as it stands in a key.
const GENERATION: u64 = 1 << 32;
