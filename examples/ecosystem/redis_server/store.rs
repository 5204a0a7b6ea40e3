//! Keys and their values, some of which expire.

use std::collections::HashMap;
use std::time::Instant;

/// Bytes that all entries may take, as [`size`] counts.
pub(crate) const MAX_MEMORY: usize = 64 << 20;

/// Bytes that an entry takes besides its key and value, about.
const ENTRY_SIZE: usize = 128;

#[derive(Default)]
pub(crate) struct Store {
    entries: HashMap<Vec<u8>, Entry>,
    used: usize,
}

pub(crate) struct Entry {
    pub(crate) value: Vec<u8>,
    /// When it is gone; `None` for never.
    pub(crate) expires: Option<Instant>,
}

impl Store {
    pub(crate) fn get(&mut self, key: &[u8], now: Instant) -> Option<&Entry> {
        if self.entries.get(key)?.is_expired(now) {
            self.remove(key, now);
            return None;
        }
        self.entries.get(key)
    }

    /// Stores an entry in place of the one before, which stays if there is no room.
    pub(crate) fn insert(&mut self, key: &[u8], entry: Entry, now: Instant) -> Result<(), String> {
        let size = size(key, &entry.value);
        if !self.fits(key, size) {
            self.sweep(now);
        }
        if !self.fits(key, size) {
            return Err("OOM command not allowed when used memory > 'maxmemory'.".into());
        }
        self.remove(key, now);
        self.used += size;
        self.entries.insert(key.to_vec(), entry);
        Ok(())
    }

    fn fits(&self, key: &[u8], size: usize) -> bool {
        let before = self.entries.get(key).map_or(0, |entry| self::size(key, &entry.value));
        self.used - before + size <= MAX_MEMORY
    }

    /// Removes an entry, and says whether it was still there.
    pub(crate) fn remove(&mut self, key: &[u8], now: Instant) -> bool {
        let Some(entry) = self.entries.remove(key) else { return false };
        self.used -= size(key, &entry.value);
        !entry.is_expired(now)
    }

    /// How many entries there are, and the bytes that they take.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.entries.len(), self.used)
    }

    /// Removes what has expired and was not asked for since.
    fn sweep(&mut self, now: Instant) {
        self.entries.retain(|_, entry| !entry.is_expired(now));
        self.used = self.entries.iter().map(|(key, entry)| size(key, &entry.value)).sum();
    }
}

impl Entry {
    fn is_expired(&self, now: Instant) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

fn size(key: &[u8], value: &[u8]) -> usize {
    key.len() + value.len() + ENTRY_SIZE
}
