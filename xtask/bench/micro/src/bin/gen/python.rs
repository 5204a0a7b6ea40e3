//! The same in Python, where it is.

use std::process::{Command, Output};
use std::sync::LazyLock;

use crate::sum_below;

/// Whether python3 runs; if not, one line on standard error says that it is skipped.
pub(crate) fn is_there() -> bool {
    static THERE: LazyLock<bool> = LazyLock::new(|| {
        let runs = Command::new(PROGRAM).arg("--version").output();
        let there = runs.is_ok_and(|output| output.status.success());
        if !there {
            eprintln!("micro-gen: no {PROGRAM} here, skipped");
        }
        there
    });
    *THERE
}

/// Counts in the way of this name, and says what a resume took by Python's own clock of the thread.
pub(crate) fn figure(way: &str, end: u64) -> micro::Figure {
    let Output { status, stdout, stderr } =
        Command::new(PROGRAM).args(["-c", SCRIPT, way, &end.to_string()]).output()?;
    let text = String::from_utf8(stdout)?;
    let numbers = text.trim().split_once(' ');
    match numbers {
        Some((sum, nanoseconds)) if status.success() && sum.parse() == Ok(sum_below(end)) => {
            Ok(nanoseconds.parse()?)
        }
        _ => Err(format!("{PROGRAM} said {text:?}, {}", String::from_utf8_lossy(&stderr)).into()),
    }
}

const PROGRAM: &str = "python3";

const SCRIPT: &str = include_str!("count.py");
