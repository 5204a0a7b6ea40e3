//! A step of the scheduler beside a poll of `FuturesUnordered`, by sched's example.

use std::path::Path;
use std::process::Command;

use super::{Failure, Table};
use crate::report::output;

/// How many times as fast a step is to be.
const AIM: f64 = 3.0;

/// How many tasks are ready at once, and how often each yields: often enough that the first lap, which
/// brings a million tasks into the caches and the page tables, is one of many. Some seconds in all.
const SIZES: [(&str, &str, &str); 3] = [
    ("step beside its peer, 2 tasks", "2", "1000000"),
    ("step beside its peer, 10,000 tasks", "10000", "500"),
    ("step beside its peer, 1,000,000 tasks", "1000000", "20"),
];

pub(super) fn run(table: &mut Table<'_>, program: &Path) {
    for (name, tasks, yields) in SIZES {
        table.printed(name, AIM, "times as fast as FuturesUnordered", || {
            ratio(program, tasks, yields)
        });
    }
}

/// The median of five rounds, in each of which one runs after the other.
fn ratio(program: &Path, tasks: &str, yields: &str) -> Result<f64, Failure> {
    let mut command = Command::new(program);
    command.args(["both", tasks, yields]);
    let text = output(command)?;
    median(&text).ok_or_else(|| format!("no median in what it printed:\n{text}").into())
}

/// The last line: `2 tasks: median of the ratio 2.50`
fn median(text: &str) -> Option<f64> {
    let (_, value) = text.trim_end().rsplit_once("median of the ratio ")?;
    value.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_last_line() {
        let text =
            "sched 2.0 ns, FuturesUnordered 6.0 ns: 3.00\n2 tasks: median of the ratio 2.50\n";
        assert_eq!(median(text), Some(2.5));
        assert_eq!(median("sched 2.0 ns\n"), None);
        assert_eq!(median(""), None);
    }
}
