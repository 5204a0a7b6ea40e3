//! Servers of several threads beside those of one.

use super::contest::{self, Case, Contestant};
use super::scenario::HELLO;
use super::{Field, Place, load, start};
use crate::bench::peers::Service;
use crate::bench::record::Record;
use crate::report::Report;

/// hello with one thread and with `threads` of them, of everybody who knows how.
pub(super) fn run(report: &mut Report, field: &Field<'_>, threads: usize) -> Vec<Record> {
    let case = |contestant: &Contestant<'_>| Case {
        name: "hello with 50 connections, by threads".into(),
        size: Some(("threads", contestant.threads as u64)),
        grows: false,
    };
    let several =
        field.participants.iter().filter(|one| one.peer.has_threads && one.serves(Service::Hello));
    let several: Vec<_> = several.collect();
    let contestants: Vec<Contestant<'_>> = [1, threads]
        .into_iter()
        .flat_map(|threads| several.iter().map(move |participant| (threads, *participant)))
        .map(|(threads, participant)| Contestant {
            participant,
            name: participant.peer.name.to_owned(),
            threads,
        })
        .collect();
    let title = format!("net: hello with 1 and {threads} threads");
    let (servers, generator) = field.place.shared(threads);
    contest::hold(report, &title, case, &contestants, field.rounds(), |contestant| {
        let running = start::start(contestant, Service::Hello, servers)?;
        load::slices(field.load, generator, &running, &HELLO.load, HELLO.noun)
    })
}

impl Place {
    /// The processors of a server with so many threads, and the load's: the next one, or the last
    /// one with the server if there is no other.
    pub(super) fn shared(&self, threads: usize) -> (&[usize], usize) {
        let allowed = &self.allowed;
        let generator = allowed[threads.min(allowed.len() - 1)];
        (&allowed[..threads.min(allowed.len())], generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_load_is_beside_the_server_where_it_can_be() {
        let place = Place { server: 2, load: 3, allowed: vec![2, 3, 5] };
        assert_eq!(place.shared(2), (&[2, 3][..], 5));
        assert_eq!(place.shared(3), (&[2, 3, 5][..], 5));
        assert_eq!(place.shared(9), (&[2, 3, 5][..], 5));
    }
}
