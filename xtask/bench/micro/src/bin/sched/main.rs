//! What a scheduler costs: steps of tasks that take turns, wakes, spawns, and memory.
//!
//! A step is measured as the note's loop makes it: a task says "my turn again" and has it. Our own
//! scheduler returns that to its owner, who queues the task again ("ours"); as a future it wakes itself
//! through the waker that it was polled with ("ours by waker"), as the peers' tasks do. See `micro` for the
//! command line.

mod executors;
mod join;
mod lap;
mod stage;
mod wakes;

use std::process::ExitCode;

use micro::{Case, OURS, Peer, Size};

use executors::{Local, Ours, Set, Ticked, Tokio};
use lap::{ByOwner, ByWaker, Order};

fn main() -> ExitCode {
    micro::main("sched", &cases())
}

/// Peers that do a case by a function that is generic over the executor.
macro_rules! peers {
    ($($ours:expr, $way:expr),+; |$executor:ident| $theirs:expr) => {
        vec![
            $(Peer::new($ours, $way),)+
            Peer::new("FuturesUnordered", { type $executor = Set; $theirs }),
            Peer::new("async-executor", { type $executor = Local; $theirs }),
            Peer::new("async-executor tick", { type $executor = Ticked; $theirs }),
            Peer::new("tokio", { type $executor = Tokio; $theirs }),
        ]
    };
}

fn cases() -> Vec<Case> {
    vec![steps(), shuffled(), memory(), spawn_and_join(), wakes_here(), wakes_from_afar()]
}

fn steps() -> Case {
    let sizes = vec![
        Size::new(2, STEPS / 2),
        Size::new(100, STEPS / 100),
        Size::new(1_000, STEPS / 1_000).thorough(20),
        Size::new(10_000, STEPS / 10_000),
        Size::new(100_000, 10).thorough(10),
        Size::new(1_000_000, 4).thorough(6),
    ];
    let peers = peers!(
        OURS, |tasks, laps| lap::steps::<ByOwner>(tasks, laps, Order::Spawned),
        "ours by waker", |tasks, laps| lap::steps::<ByWaker>(tasks, laps, Order::Spawned);
        |E| |tasks, laps| lap::steps::<E>(tasks, laps, Order::Spawned)
    );
    Case { grow: true, ..case("step", "ns/step", Some("tasks"), sizes, peers) }
}

fn shuffled() -> Case {
    let sizes = vec![
        Size::new(2, STEPS / 2).thorough(20),
        Size::new(100, STEPS / 100).thorough(20),
        Size::new(10_000, STEPS / 10_000),
        Size::new(1_000_000, 4).thorough(6),
    ];
    let peers = peers!(
        OURS, |tasks, laps| lap::steps::<ByOwner>(tasks, laps, Order::Shuffled),
        "ours by waker", |tasks, laps| lap::steps::<ByWaker>(tasks, laps, Order::Shuffled);
        |E| |tasks, laps| lap::steps::<E>(tasks, laps, Order::Shuffled)
    );
    case("step, shuffled memory", "ns/step", Some("tasks"), sizes, peers)
}

fn memory() -> Case {
    let sizes = [10_000, 100_000, 1_000_000];
    let sizes = sizes.map(|tasks| Size::new(tasks, 1).thorough(3)).into();
    let peers = peers!(
        OURS, |tasks, _| lap::memory::<ByOwner>(tasks);
        |E| |tasks, _| lap::memory::<E>(tasks)
    );
    let case = case("memory", "bytes/task", Some("tasks"), sizes, peers);
    Case { metric: "memory", grow: true, ..case }
}

fn spawn_and_join() -> Case {
    let sizes = vec![Size::new(1, 200_000), Size::new(100, 2_000), Size::new(10_000, 20)];
    let peers = peers!(
        OURS, join::spawn_and_join::<Ours>;
        |E| join::spawn_and_join::<E>
    );
    case("spawn and join", "ns/task", Some("tasks"), sizes, peers)
}

fn wakes_here() -> Case {
    let peers = peers!(
        OURS, |_, rounds| wakes::here::<Ours>(rounds);
        |E| |_, rounds| wakes::here::<E>(rounds)
    );
    case("wake, same thread", "ns/wake", None, vec![Size::new(0, 300)], peers)
}

fn wakes_from_afar() -> Case {
    let peers = peers!(
        OURS, |_, rounds| wakes::from_afar::<Ours>(rounds);
        |E| |_, rounds| wakes::from_afar::<E>(rounds)
    );
    case("wake, another thread", "ns/wake", None, vec![Size::new(0, 300)], peers)
}

fn case(
    name: &'static str,
    unit: &'static str,
    parameter: Option<&'static str>,
    sizes: Vec<Size>,
    peers: Vec<Peer>,
) -> Case {
    Case { name, parameter, metric: "cpu", unit, grow: false, sizes, peers }
}

/// How many steps make a sample, where setting up is not what takes long: 5 to 50 milliseconds.
const STEPS: u64 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    /// Each figure is given only if the promised number of steps, or of whatever else, was made.
    #[test]
    fn everybody_does_every_case() {
        for case in cases() {
            let sizes: &[u64] = if case.metric == "memory" { &[10_000] } else { &[1, 2, 200] };
            for peer in &case.peers {
                for &size in sizes {
                    let figure = (peer.run)(size, 3);
                    assert!(figure.is_ok(), "{}, {}, {size}: {figure:?}", case.name, peer.name);
                }
            }
        }
    }
}
