//! A process that ends in the middle of a step, with its scheduler in a thread-local.

use std::process::{Command, exit};

use generator::FromFuture;
use sched::{Outcome, Scheduler};

thread_local! {
    static SCHEDULER: Scheduler<(), ()> = Scheduler::new();
}

/// Set in the process that is to end.
const INSIDE: &str = "SCHED_TEST_EXIT";

fn end_in_a_step() {
    SCHEDULER.with(|scheduler| {
        scheduler.spawn(FromFuture::new(async {
            let held = Box::new(String::from("dropped once"));
            let mut yielded = false;
            std::future::poll_fn(|cx| {
                cx.waker().wake_by_ref();
                if std::mem::replace(&mut yielded, true) {
                    std::task::Poll::Ready(())
                } else {
                    std::task::Poll::Pending
                }
            })
            .await;
            drop(held);
            exit(0);
        }));
        while let Ok((_, Outcome::Yielded(()))) = scheduler.step() {}
    });
}

#[test]
fn a_body_that_calls_exit_is_not_dropped_under_its_own_feet() {
    if std::env::var_os(INSIDE).is_some() {
        return end_in_a_step();
    }
    let test = "a_body_that_calls_exit_is_not_dropped_under_its_own_feet";
    let ended = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "")
        .output()
        .unwrap();
    assert!(ended.status.success(), "{ended:?}");
}
