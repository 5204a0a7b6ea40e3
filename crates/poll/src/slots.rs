//! Where registrations live: a slot each, found by index, guarded by a generation.

use crate::backend::answer::{self, Answer};
use crate::interest::{Interest, Mode};
use crate::key::{Key, NOTIFIER};
use crate::readiness::Readiness;
use crate::registration::Registration;
use crate::source::{Descriptor, Number, Source, descriptor, number};

/// All registrations of a selector. Adding, finding and removing take constant time.
pub(crate) struct Slots<S, D> {
    list: Vec<Slot<S, D>>,
    /// Vacant slots. A retired slot is vacant but not in here.
    free: Vec<u32>,
    len: usize,
}

/// A place for one registration: 24 bytes where the source is an `Rc` and the data is `()`.
pub(crate) struct Slot<S, D> {
    /// The key of the present tenant, or of the next one. Any other that names this slot is
    /// stale.
    key: Key,
    /// The source's descriptor at registration.
    number: Number,
    /// `None` while vacant or disarmed: by the owner, by a one-shot report, or by a failed
    /// modification.
    pub(crate) interest: Option<Interest>,
    pub(crate) mode: Mode,
    /// Whether the kernel has an entry for the descriptor. A one-shot that fired keeps its entry,
    /// though it is disarmed; a registration that the owner disarmed has none.
    pub(crate) is_known: bool,
    tenant: Option<(S, D)>,
}

impl<S: Source, D> Slots<S, D> {
    pub(crate) const fn new() -> Self {
        Self { list: Vec::new(), free: Vec::new(), len: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The key of the next registration, unless every slot is taken or retired. The index
    /// `u32::MAX` is never given: it is the notifier's.
    pub(crate) fn vacancy(&self) -> Option<Key> {
        match self.free.last() {
            Some(&index) => Some(self.list[index as usize].key),
            None => {
                let index = u32::try_from(self.list.len()).ok();
                index.filter(|&index| index < u32::MAX).map(Key::first)
            }
        }
    }

    /// Fills the vacancy `key` with an armed registration that the kernel knows.
    pub(crate) fn fill(
        &mut self,
        key: Key,
        number: Number,
        interest: Interest,
        mode: Mode,
        tenant: (S, D),
    ) {
        let slot = Slot {
            key,
            number,
            interest: Some(interest),
            mode,
            is_known: true,
            tenant: Some(tenant),
        };
        match self.free.pop() {
            Some(index) => self.list[index as usize] = slot,
            None => self.list.push(slot),
        }
        self.len += 1;
    }

    /// Empties the slot of `key` and moves it to its next generation, or retires it after the
    /// last one.
    pub(crate) fn remove(&mut self, key: Key) -> Option<(S, D)> {
        let slot = self.find_mut(key)?;
        let tenant = slot.tenant.take()?;
        slot.interest = None;
        slot.is_known = false;
        if let Some(next) = key.next() {
            slot.key = next;
            self.free.push(key.index() as u32);
        }
        self.len -= 1;
        Some(tenant)
    }

    /// The registration of `key`.
    #[inline]
    pub(crate) fn get(&self, key: Key) -> Option<Registration<'_, S, D>> {
        let slot = self.list.get(key.index())?;
        if slot.key != key {
            return None;
        }
        let tenant = slot.tenant.as_ref()?;
        Some(Registration { slot, tenant })
    }

    /// The slot of `key`; vacant only if its last generation is over.
    fn find_mut(&mut self, key: Key) -> Option<&mut Slot<S, D>> {
        let slot = self.list.get_mut(key.index())?;
        (slot.key == key).then_some(slot)
    }

    /// The occupied slot of `key`.
    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut Slot<S, D>> {
        self.find_mut(key).filter(|slot| slot.tenant.is_some())
    }

    /// All registrations, in the order of their slots.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Registration<'_, S, D>> {
        self.list.iter().filter_map(|slot| {
            let tenant = slot.tenant.as_ref()?;
            Some(Registration { slot, tenant })
        })
    }

    /// The registrations that wait for something.
    #[cfg(unix)]
    pub(crate) fn armed(&self) -> impl Iterator<Item = (&Slot<S, D>, Interest)> {
        self.list.iter().filter_map(|slot| Some((slot, slot.interest?)))
    }

    /// The key of a registration as the native backend carried it. A 32-bit system carries the
    /// index alone, so there the slot's present tenant is meant.
    pub(crate) fn carried(&self, native: usize) -> Option<Key> {
        if usize::BITS < u64::BITS {
            return self.list.get(native).map(|slot| slot.key);
        }
        Key::from_bits(native as u64)
    }
}

impl<S: Source, D> Slot<S, D> {
    /// The descriptor, if the source still names the one it was registered with.
    pub(crate) fn descriptor(&self) -> Option<Descriptor<'_>> {
        let (source, _) = self.tenant.as_ref()?;
        let descriptor = descriptor(source);
        (number(descriptor) == self.number).then_some(descriptor)
    }

    pub(crate) fn key(&self) -> Key {
        self.key
    }

    pub(crate) fn number(&self) -> Number {
        self.number
    }

    pub(crate) fn data_mut(&mut self) -> Option<&mut D> {
        self.tenant.as_mut().map(|(_, data)| data)
    }
}

/// What one system call brings, on its way from a backend to the caller.
pub(crate) struct Batch<'a, S, D, F> {
    pub(crate) slots: &'a mut Slots<S, D>,
    /// Hears of each event. A reference, and the closure's own type, for the compiler to make one
    /// loop of this and the closure.
    pub(crate) each: &'a mut F,
    pub(crate) events: u64,
    /// Whether the notifier may have rung.
    pub(crate) is_notified: bool,
    /// Events dropped: their registration is gone or disarmed.
    pub(crate) stale: u64,
}

impl<S: Source, D, F: FnMut(Registration<'_, S, D>, Readiness)> Batch<'_, S, D, F> {
    /// Reports what a system call said. Left out is what is for registrations that are gone or
    /// disarmed, and what nobody asked for.
    ///
    /// Every event passes here.
    #[inline(always)]
    pub(crate) fn report(&mut self, answers: &[Answer]) {
        let slots = self.slots.list.as_mut_slice();
        // Locals, which the compiler keeps in registers, where it writes fields back at each event.
        let each = &mut *self.each;
        let (mut events, mut stale, mut is_notified) = (0, 0, false);
        for answer in answers {
            let bits = answer::bits(answer);
            let Some(slot) = find(slots, bits) else {
                // The notifier has no slot, so to look for it here costs other events nothing.
                let is_bell = bits == NOTIFIER;
                is_notified |= is_bell;
                stale += u64::from(!is_bell);
                continue;
            };
            let readiness = answer::seen(answer, slot.interest);
            if readiness.is_empty() {
                stale += u64::from(slot.interest.is_none());
                continue;
            }
            if slot.mode == Mode::OneShot {
                slot.interest = None;
            }
            if let Some(tenant) = &slot.tenant {
                events += 1;
                each(Registration { slot, tenant }, readiness);
            }
        }
        self.events += events;
        self.stale += stale;
        self.is_notified |= is_notified;
    }
}

/// The slot of the key with the bits `bits`, unless it is gone.
#[inline]
fn find<S, D>(slots: &mut [Slot<S, D>], bits: u64) -> Option<&mut Slot<S, D>> {
    let slot = slots.get_mut(bits as u32 as usize)?;
    (slot.key.bits() == bits).then_some(slot)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::backend::answer::answer;
    use std::io::PipeReader;
    use std::rc::Rc;

    fn source() -> PipeReader {
        std::io::pipe().expect("a pipe").0
    }

    fn fill(slots: &mut Slots<PipeReader, ()>) -> Key {
        let key = slots.vacancy().expect("a vacancy");
        let source = source();
        let number = number(descriptor(&source));
        slots.fill(key, number, Interest::READ, Mode::Level, (source, ()));
        key
    }

    #[test]
    fn a_slot_stays_small() {
        assert_eq!(size_of::<Slot<Rc<PipeReader>, ()>>(), 24);
        assert_eq!(size_of::<Option<Key>>(), 8);
        assert_eq!(size_of::<crate::Event>(), 16);
    }

    #[test]
    fn an_old_key_does_not_find_the_new_tenant() {
        let mut slots = Slots::new();
        let old = fill(&mut slots);
        assert!(slots.remove(old).is_some());
        let new = fill(&mut slots);
        assert_eq!(old.index(), new.index());
        assert!(slots.get(old).is_none() && slots.get_mut(old).is_none());
        assert!(slots.remove(old).is_none());
        assert!(slots.get(new).is_some());
    }

    #[test]
    fn a_slot_whose_generations_are_used_up_is_retired() {
        let mut slots = Slots::new();
        let first = fill(&mut slots);
        let last = Key::from_bits(first.bits() | u64::from(u32::MAX) << 32).expect("a key");
        slots.list[0].key = last;
        assert!(slots.remove(last).is_some());
        assert!(slots.get(last).is_none() && slots.get_mut(last).is_none());
        assert!(slots.remove(last).is_none());
        assert_eq!(fill(&mut slots).index(), 1);
        assert_eq!(slots.len(), 1);
    }

    #[test]
    fn reports_for_departed_disarmed_and_unknown_registrations_are_dropped_and_counted() {
        let mut slots = Slots::new();
        let (gone, disarmed) = (fill(&mut slots), fill(&mut slots));
        slots.remove(gone);
        slots.get_mut(disarmed).expect("registered").interest = None;
        let mut batch = Batch {
            slots: &mut slots,
            each: &mut |_: Registration<'_, _, _>, _| panic!("nobody is there to hear of it"),
            events: 0,
            is_notified: false,
            stale: 0,
        };
        let unknown = 7 | 1 << 32;
        let answers = [
            answer(gone.bits(), Readiness::READ),
            answer(disarmed.bits(), Readiness::HANGUP),
            answer(unknown, Readiness::READ),
        ];
        batch.report(&answers);
        assert_eq!((batch.stale, batch.is_notified), (3, false));
        batch.report(&[answer(NOTIFIER, Readiness::READ)]);
        assert_eq!((batch.stale, batch.is_notified), (3, true));
        assert_eq!(batch.events, 0);
    }
}
