//! Generators that take turns.

use std::pin::Pin;

use generator::{Resumable, Step};
use sched::RoundRobin;

struct Count(u32, u32);

impl Resumable for Count {
    type Yield = u32;
    type Return = &'static str;

    fn resume(mut self: Pin<&mut Self>, (): ()) -> Step<u32, &'static str> {
        assert!(self.1 != 13, "unlucky");
        if self.0 == self.1 {
            return Step::Complete("done");
        }
        self.0 += 1;
        Step::Yielded(self.0)
    }
}

#[test]
fn turns_results_and_late_comers() {
    let mut tasks = RoundRobin::from_iter([Count(0, 2), Count(0, 0), Count(0, 1)]);
    assert_eq!(tasks.len(), 3);
    assert_eq!((tasks.next(), tasks.next()), (Some((0, 1)), Some((2, 1))));
    assert_eq!(tasks.finished().collect::<Vec<_>>(), [(1, "done")]);
    assert_eq!(tasks.push(Count(5, 6)), 3);
    assert_eq!(tasks.by_ref().collect::<Vec<_>>(), [(0, 2), (3, 6)]);
    assert_eq!(tasks.finished().collect::<Vec<_>>(), [(2, "done"), (0, "done"), (3, "done")]);
    assert!(tasks.is_empty() && tasks.next().is_none());
}

#[test]
fn different_generators_take_turns_in_boxes() {
    type Any = Pin<Box<dyn Resumable<Yield = u32, Return = &'static str>>>;
    let mut tasks = RoundRobin::<Any>::new();
    tasks.extend([Box::pin(Count(0, 2)) as Any, Box::pin(Count(7, 8))]);
    assert_eq!(tasks.map(|(_, value)| value).collect::<Vec<_>>(), [1, 8, 2]);
}

#[test]
fn one_that_panics_is_gone_and_the_others_go_on() {
    let mut tasks = RoundRobin::from_iter([Count(0, 13), Count(0, 1)]);
    let next = std::panic::AssertUnwindSafe(|| tasks.next());
    assert!(std::panic::catch_unwind(next).is_err());
    assert_eq!(tasks.collect::<Vec<_>>(), [(1, 1)]);
}
