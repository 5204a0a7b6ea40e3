//! What a task takes beside its body, and that a step allocates nothing.

mod util;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use sched::Scheduler;
use util::{run, yields};

static BYTES: AtomicUsize = AtomicUsize::new(0);
static CALLS: AtomicUsize = AtomicUsize::new(0);

struct Counting;

#[allow(unsafe_code)]
// SAFETY: everything is the system's allocator's doing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BYTES.fetch_add(layout.size(), Ordering::Relaxed);
        CALLS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Alone in its file, so that no other test allocates meanwhile.
#[test]
fn a_task_takes_at_most_56_bytes_beside_its_body_and_a_step_allocates_nothing() {
    let body = size_of_val(&yields(0));
    // About a power of two, and unlucky numbers in between.
    for tasks in [1_000, 4_096, 4_097, 10_000, 65_537, 100_003] {
        let before = BYTES.load(Ordering::Relaxed);
        let scheduler = Scheduler::<(), ()>::new();
        let ids: Vec<_> = (0..tasks).map(|_| scheduler.spawn(yields(3))).collect();
        let own = ids.capacity() * size_of_val(&ids[0]);
        for lap in 0..3 {
            let before = CALLS.load(Ordering::Relaxed);
            for _ in 0..tasks {
                let (id, _) = scheduler.step().unwrap();
                scheduler.wake(id);
            }
            let calls = CALLS.load(Ordering::Relaxed) - before;
            assert!(lap == 0 || calls == 0, "{calls} allocations in lap {lap}");
        }
        let bytes = BYTES.load(Ordering::Relaxed) - before - own;
        let each = bytes as f64 / tasks as f64 - body as f64;
        assert!(each <= 56.0, "{each:.1} bytes a task with {tasks} tasks");
        run(&scheduler);
    }
}
