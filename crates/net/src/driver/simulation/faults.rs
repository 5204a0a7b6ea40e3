//! What goes wrong, how often, and when.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use super::random::Random;

/// A fault that a simulation can inject. None breaks what a real kernel promises: the bytes of a
/// TCP connection never change, swap or vanish while it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// A connection is reset in mid-stream. Opportunity: each arrival of a segment.
    Reset,
    /// A segment is lost, and comes after a retransmission. Opportunity: each arrival of a segment.
    SegmentLoss,
    /// The network between two hosts breaks for a while, and heals. Opportunity: each arrival of a
    /// request to connect, a segment or a datagram.
    Partition,
    /// A host that may restart loses everything at once, and comes back after a while.
    /// Opportunity: each arrival at such a host.
    Crash,
    /// A write takes less than there is room for, and room for the rest is reported later.
    /// Opportunity: each write of more than a byte.
    ShortWrite,
    /// A read of a Unix socket brings less than is there, as it does where descriptors are passed.
    /// Opportunity: each such read of more than a byte. TCP promises that a short read is the last.
    ShortRead,
    /// A system call is interrupted by a signal: EINTR. Opportunity: each read, write and accept, but
    /// none that repeats an interrupted one.
    Interrupted,
    /// A socket is reported ready that is not. Opportunity: each wait, for one of its host's sockets.
    SpuriousReadiness,
    /// A wait reports one event and leaves the others for the next. Opportunity: each wait with more
    /// than one event.
    SmallBatch,
    /// A host gets its turn late, as a busy machine gives it: meanwhile more arrives. Opportunity:
    /// each time a host has something to do.
    LateTurn,
    /// A connection is gone before it is accepted: ECONNABORTED. Opportunity: each accept.
    AcceptAborted,
    /// The process has no descriptor left at accept: EMFILE. Opportunity: each accept.
    AcceptDescriptors,
    /// The process has no descriptor left at connect: EMFILE. Opportunity: each connect.
    ConnectDescriptors,
    /// The kernel has no memory for a connection or datagram: ENOBUFS. Opportunity: each accept,
    /// connect and sent datagram.
    NoBuffers,
    /// A datagram is lost. Opportunity: each sent between two hosts.
    DatagramLoss,
    /// A datagram comes twice. Opportunity: as above.
    DatagramDuplicate,
    /// A datagram is overtaken by later ones. Opportunity: as above.
    DatagramReorder,
    /// A program gets to see late what has arrived, as if it were slow to read; meanwhile its
    /// receive buffer may fill. Opportunity: each arrival of data of a connection.
    SlowReader,
    /// A program never gets to see what arrives from now on, as if it did not read any more: the
    /// other side finds no room in the end. Opportunity: as above.
    StuckReader,
}

impl Fault {
    /// All there are.
    pub const ALL: [Fault; 19] = [
        Fault::Reset,
        Fault::SegmentLoss,
        Fault::Partition,
        Fault::Crash,
        Fault::ShortWrite,
        Fault::ShortRead,
        Fault::Interrupted,
        Fault::SpuriousReadiness,
        Fault::SmallBatch,
        Fault::LateTurn,
        Fault::AcceptAborted,
        Fault::AcceptDescriptors,
        Fault::ConnectDescriptors,
        Fault::NoBuffers,
        Fault::DatagramLoss,
        Fault::DatagramDuplicate,
        Fault::DatagramReorder,
        Fault::SlowReader,
        Fault::StuckReader,
    ];

    /// Those after which everything still goes as it would have gone, only otherwise timed and cut:
    /// code that waits and tries as it should does not notice them.
    pub const HARMLESS: [Fault; 8] = [
        Fault::SegmentLoss,
        Fault::ShortWrite,
        Fault::ShortRead,
        Fault::Interrupted,
        Fault::SpuriousReadiness,
        Fault::SmallBatch,
        Fault::LateTurn,
        Fault::SlowReader,
    ];
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A fault that struck: which, and at which of its opportunities in the run, counted from 0.
pub(crate) type Strike = (Fault, u64);

/// Decides at each opportunity whether the fault strikes.
#[derive(Clone, Debug)]
pub(crate) struct Faults {
    random: BTreeMap<Fault, Random>,
    rates: BTreeMap<Fault, f64>,
    /// Moments from which on the next opportunity strikes, latest first.
    scripted: BTreeMap<Fault, Vec<Duration>>,
    opportunities: BTreeMap<Fault, u64>,
    struck: Vec<Strike>,
    /// When a failure is shrunk: the only strikes that happen.
    only: Option<BTreeSet<Strike>>,
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Faults {
        // One stream for each fault, so that leaving one out does not move the others.
        let stream = |fault: &Fault| (*fault, Random::new(seed, 0x1000 + *fault as u64));
        Faults {
            random: Fault::ALL.iter().map(stream).collect(),
            rates: BTreeMap::new(),
            scripted: BTreeMap::new(),
            opportunities: BTreeMap::new(),
            struck: Vec::new(),
            only: None,
        }
    }

    pub(crate) fn set_rate(&mut self, fault: Fault, rate: f64) {
        self.rates.insert(fault, rate);
    }

    pub(crate) fn script(&mut self, fault: Fault, at: Duration) {
        let moments = self.scripted.entry(fault).or_default();
        moments.push(at);
        moments.sort_by(|a, b| b.cmp(a));
    }

    pub(crate) fn allow_only(&mut self, strikes: BTreeSet<Strike>) {
        self.only = Some(strikes);
    }

    /// Whether `fault` strikes at this opportunity.
    pub(crate) fn strikes(&mut self, fault: Fault, now: Duration) -> bool {
        let scripted = self.scripted.get(&fault).is_some_and(|moments| !moments.is_empty());
        let rate = self.rates.get(&fault).copied().unwrap_or(0.0);
        if !scripted && rate == 0.0 {
            return false;
        }
        let opportunity = self.opportunities.entry(fault).or_default();
        let strike = (fault, *opportunity);
        *opportunity += 1;
        let due = self
            .scripted
            .get_mut(&fault)
            .is_some_and(|moments| moments.pop_if(|moment| *moment <= now).is_some());
        // Drawn in any case, so that a run with fewer strikes makes the same choices elsewhere.
        let drawn = self.random.get_mut(&fault).is_some_and(|random| random.chance(rate));
        let strikes =
            (due || drawn) && self.only.as_ref().is_none_or(|only| only.contains(&strike));
        if strikes {
            self.struck.push(strike);
        }
        strikes
    }

    /// A number below `bound` for the details of a strike.
    pub(crate) fn below(&mut self, fault: Fault, bound: usize) -> usize {
        self.random.get_mut(&fault).map_or(0, |random| random.below(bound.max(1)))
    }

    pub(crate) fn struck(&self) -> &[Strike] {
        &self.struck
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scripted_fault_strikes_once_from_its_moment_on() {
        let mut faults = Faults::new(1);
        let at = Duration::from_secs(5);
        faults.script(Fault::Reset, at);
        assert!(!faults.strikes(Fault::Reset, Duration::from_secs(4)));
        assert!(faults.strikes(Fault::Reset, Duration::from_secs(6)));
        assert!(!faults.strikes(Fault::Reset, Duration::from_secs(7)));
        assert_eq!(faults.struck(), [(Fault::Reset, 1)]);
    }

    #[test]
    fn only_the_allowed_strikes_happen_and_they_are_the_same_ones() {
        let run = |only: Option<BTreeSet<Strike>>| {
            let mut faults = Faults::new(3);
            faults.set_rate(Fault::ShortWrite, 0.5);
            faults.only = only;
            for _ in 0..100 {
                faults.strikes(Fault::ShortWrite, Duration::ZERO);
            }
            faults.struck
        };
        let all = run(None);
        assert!(all.len() > 20 && all.len() < 80, "{}", all.len());
        let half: BTreeSet<Strike> = all.iter().copied().step_by(2).collect();
        assert_eq!(run(Some(half.clone())), half.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn every_fault_is_in_the_list() {
        for (index, fault) in Fault::ALL.into_iter().enumerate() {
            assert_eq!(fault as usize, index);
        }
    }
}
