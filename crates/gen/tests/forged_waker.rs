//! A waker that looks like an airlock but is none. A test of its own, so that it knows which numbers are in use.

mod util;

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Wake, Waker};

use generator::Gen;
use util::{FOREIGN, panic_of};

/// Laid out like an airlock: the number, and room for a slot. A waker made of it has its address as data pointer.
#[repr(C)]
struct Forged {
    number: AtomicU64,
    slot: [AtomicU64; 4],
}

impl Wake for Forged {
    fn wake(self: Arc<Self>) {}
}

/// More than the generators that this process makes.
const NUMBERS: u64 = 16;

#[test]
fn a_forged_number_opens_nothing() {
    let mut co = None;
    let _owner = Gen::<_, u64, u64>::new(|leaked| {
        co = Some(leaked);
        std::future::pending::<()>()
    });
    let co = co.expect("the body was made");
    for number in 0..NUMBERS {
        let forged = Arc::new(Forged {
            number: AtomicU64::new(number),
            slot: [const { AtomicU64::new(0) }; 4],
        });
        let waker = Waker::from(forged.clone());
        let mut context = Context::from_waker(&waker);
        let panic = panic_of(|| pin!(co.yield_(u64::MAX)).poll(&mut context).is_ready());
        assert_eq!(panic, FOREIGN);
        let slot = forged.slot.each_ref().map(|word| word.load(Ordering::Relaxed));
        assert_eq!(slot, [0; 4], "nothing was written");
    }
}
