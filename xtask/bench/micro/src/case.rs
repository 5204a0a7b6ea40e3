//! What is measured, and who does it.

use std::error::Error;

use crate::Turn;

/// Something to do that is measured, at one or several sizes, for several peers.
///
/// Several cases of a suite may have one name, if their sizes differ.
#[derive(Debug)]
pub struct Case {
    pub name: &'static str,
    /// What the size counts: `tasks`. None where nothing grows; then there is one size, 0.
    pub parameter: Option<&'static str>,
    /// What is measured: `cpu` or `memory`.
    pub metric: &'static str,
    /// Of what the figures are: `ns/step`.
    pub unit: &'static str,
    /// Whether the sizes are points of a curve.
    pub grow: bool,
    pub sizes: Vec<Size>,
    pub peers: Vec<Peer>,
}

/// How large, and how much of it makes a sample.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub size: u64,
    /// How often the peer does it for one figure: long enough for the clock, a hundred thousand times its
    /// resolution.
    pub iterations: u64,
    /// At most so many rounds, where each takes long.
    pub rounds: usize,
    /// Whether it is among the few that `--quick` measures.
    pub quick: bool,
}

/// One way to do a case.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    pub name: &'static str,
    /// Does the case at a size, so many iterations, and says what one unit costs.
    pub run: fn(size: u64, iterations: u64) -> Figure,
    /// Whether the machine has what it takes; if not, it says so.
    pub is_there: fn() -> bool,
}

/// What one unit costs.
pub type Figure = Result<f64, Box<dyn Error>>;

/// Who the others are compared with.
pub const OURS: &str = "ours";

impl Size {
    /// A size that is always measured.
    pub fn new(size: u64, iterations: u64) -> Size {
        Size { size, iterations, rounds: usize::MAX, quick: true }
    }

    /// The same, but not with `--quick`, and otherwise with at most so many rounds.
    pub fn thorough(self, rounds: usize) -> Size {
        Size { rounds, quick: false, ..self }
    }
}

impl Peer {
    pub fn new(name: &'static str, run: fn(u64, u64) -> Figure) -> Peer {
        Peer { name, run, is_there: || true }
    }

    /// The same, but only where the machine has what it takes.
    pub fn if_there(self, is_there: fn() -> bool) -> Peer {
        Peer { is_there, ..self }
    }
}

/// Does one turn.
pub(crate) fn turn(cases: &[Case], turn: &Turn) -> Figure {
    let fits = |case: &&Case| {
        case.name == turn.case && case.sizes.iter().any(|size| size.size == turn.size)
    };
    let named = cases.iter().filter(|case| case.name == turn.case);
    // A counter may take another size than those that are timed.
    let case = cases.iter().find(fits).or_else(|| named.clone().next());
    let case = case.ok_or_else(|| format!("no case is called {:?}", turn.case))?;
    let peer = case.peers.iter().find(|peer| peer.name == turn.peer);
    let peer =
        peer.ok_or_else(|| format!("nobody in {:?} is called {:?}", turn.case, turn.peer))?;
    (peer.run)(turn.size, turn.iterations)
}
