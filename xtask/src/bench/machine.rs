//! When and where a run was made, and of what.

use std::fs;

use super::arguments::{Plan, Suite};
use super::peers::Participant;
use super::programs::{locked, told};
use crate::count::figures::model;
use crate::processors;

/// What stands above the tables, in order.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) facts: Vec<(String, String)>,
}

impl Machine {
    /// This machine, now, and the command that was given.
    pub(crate) fn here(arguments: &[&str]) -> Machine {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let processor = model(&cpuinfo).unwrap_or("unknown");
        let count = processors::allowed().len();
        let said = |program: &str, arguments: &[&str]| {
            told(program, arguments)
                .map_or_else(|| "unknown".to_owned(), |said| said.trim().to_owned())
        };
        let command = [&["cargo", "xtask", "bench"], arguments].concat().join(" ");
        let facts = [
            ("date", said("date", &["-u", "+%Y-%m-%d %H:%M UTC"])),
            ("command", format!("`{command}`")),
            ("processor", format!("{processor}, {count} of them")),
            ("kernel", said("uname", &["-sr"])),
            ("compiler", said("rustc", &["--version"])),
        ];
        let facts = facts.map(|(name, value)| (name.to_owned(), value));
        Machine { facts: facts.into() }
    }

    /// Adds what is known about those who take part.
    pub(crate) fn add_versions(&mut self, plan: &Plan, participants: &[Participant]) {
        let mut versions: Vec<String> =
            participants.iter().filter_map(|one| one.version.clone()).collect();
        let wanted = LIBRARIES.iter().filter(|(suite, _)| plan.wants(*suite));
        versions.extend(wanted.flat_map(|(_, names)| names.iter().filter_map(|name| locked(name))));
        versions.sort();
        versions.dedup();
        if !versions.is_empty() {
            self.add("peers", versions.join(", "));
        }
    }

    pub(crate) fn add(&mut self, name: &str, value: String) {
        self.facts.push((name.to_owned(), value));
    }
}

/// What the small programs stand on besides ours.
const LIBRARIES: [(Suite, &[&str]); 4] = [
    (Suite::Gen, &["corosensei", "genawaiter"]),
    (Suite::Sched, &["async-executor", "futures-util", "tokio"]),
    (Suite::Poll, &["mio", "polling"]),
    (Suite::Timers, &["async-io", "tokio"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_among_the_facts() {
        let machine = Machine::here(&["net", "--quick"]);
        let command = ("command".to_owned(), "`cargo xtask bench net --quick`".to_owned());
        assert!(machine.facts.contains(&command), "{machine:?}");
    }
}
