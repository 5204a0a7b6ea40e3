//! What it costs to ask which descriptors are ready: with nothing ready, with few and many of ten
//! thousand; and to register one more.
//!
//! No wait blocks. The descriptors are eventfds: what makes one ready is a write, which is not part of a
//! figure. "ours" is epoll, with level-triggered registrations as is the default; "ours edge" is the
//! same as `net` uses it. mio knows edges only, and calls libc, as ours do. See `micro` for the command line.

mod ours;
mod polling;
mod theirs;
mod watcher;
mod work;

use std::process::ExitCode;

use micro::{Case, OURS, Peer, Size};

use ours::{Edge, Epoll, Native, Poll, Select};
use polling::Polling;
use theirs::{Libc, Mio, Raw};
use work::{idle, ready, register};

fn main() -> ExitCode {
    micro::main("poll", &cases())
}

/// Peers that do a case by a function that is generic over the watcher. Those whose waits take time in
/// proportion to what is registered get by with fewer iterations.
macro_rules! peers {
    (|$watcher:ident, $size:ident, $iterations:ident| $work:expr) => {{
        macro_rules! way {
            ($peer:ty) => {
                |$size, $iterations| {
                    type $watcher = $peer;
                    $work
                }
            };
            ($peer:ty, few) => {
                |$size, iterations| {
                    type $watcher = $peer;
                    let $iterations = few(iterations);
                    $work
                }
            };
        }
        vec![
            Peer::new(OURS, way!(Epoll)),
            Peer::new("ours edge", way!(Edge)),
            Peer::new("ours native", way!(Native)),
            Peer::new("ours poll", way!(Poll, few)),
            Peer::new("ours select", way!(Select, few)),
            Peer::new("polling", way!(Polling)),
            Peer::new("mio", way!(Mio)),
            Peer::new("raw", way!(Raw)),
            Peer::new("raw libc", way!(Libc)),
        ]
    }};
}

fn few(iterations: u64) -> u64 {
    iterations.div_ceil(20)
}

fn cases() -> Vec<Case> {
    let idle = Case {
        sizes: vec![Size::new(0, 50_000)],
        parameter: None,
        ..case("idle wait", "ns/wait", peers!(|W, _size, waits| idle::<W>(waits)))
    };
    let ready = Case {
        sizes: vec![Size::new(1, 1_000), Size::new(100, 200), Size::new(10_000, 20).thorough(20)],
        parameter: Some("ready of 10,000"),
        ..case("wait", "ns/event", peers!(|W, size, waits| ready::<W>(size, REGISTERED, waits)))
    };
    let register = Case {
        sizes: vec![Size::new(0, 10_000), Size::new(REGISTERED, 10_000).thorough(20)],
        parameter: Some("registered"),
        ..case(
            "register and unregister",
            "ns/registration",
            peers!(|W, size, pairs| register::<W>(size, pairs)),
        )
    };
    vec![idle, ready, register]
}

/// How many descriptors are registered while some of them are ready.
const REGISTERED: u64 = 10_000;

fn case(name: &'static str, unit: &'static str, peers: Vec<Peer>) -> Case {
    Case { name, parameter: None, metric: "cpu", unit, grow: false, sizes: Vec::new(), peers }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_does_every_case() {
        let few = peers!(|W, size, waits| ready::<W>(size, 20, waits));
        for peer in
            cases().into_iter().filter(|case| case.name != "wait").flat_map(|case| case.peers)
        {
            let figure = (peer.run)(3, 40);
            assert!(figure.is_ok(), "{}: {figure:?}", peer.name);
        }
        for (peer, size) in few.iter().flat_map(|peer| [(peer, 1), (peer, 20)]) {
            let figure = (peer.run)(size, 40);
            assert!(figure.is_ok(), "{}, {size}: {figure:?}", peer.name);
        }
    }

    #[test]
    fn no_more_can_be_ready_than_are_registered() {
        let peers = peers!(|W, size, waits| ready::<W>(size, 2, waits));
        for peer in peers {
            assert!((peer.run)(3, 20).is_err(), "{}", peer.name);
        }
    }
}
