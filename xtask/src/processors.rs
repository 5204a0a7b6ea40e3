//! Which processors this process may run on, and keeping work on some of them.

use std::process::{Command, Stdio};

/// The processors of this process, by their numbers; processor 0 where nothing tells.
pub(crate) fn allowed() -> Vec<usize> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let processors = listed(&status);
    if processors.is_empty() { vec![0] } else { processors }
}

/// Whether [`on`] works here.
pub(crate) fn can_pin() -> bool {
    let mut taskset = Command::new("taskset");
    taskset.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    taskset.status().is_ok_and(|status| status.success())
}

/// The program and its arguments on these processors, in the process that is started.
pub(crate) fn on(processors: &[usize], command: &Command) -> Command {
    let mut taskset = Command::new("taskset");
    taskset.args(["-c", &list(processors)]).arg(command.get_program()).args(command.get_args());
    taskset
}

fn list(processors: &[usize]) -> String {
    let numbers: Vec<String> = processors.iter().map(ToString::to_string).collect();
    numbers.join(",")
}

/// The numbers in `Cpus_allowed_list: 0-1,4`.
fn listed(status: &str) -> Vec<usize> {
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    let ranges = list.unwrap_or_default().split(',').filter_map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some(first.trim().parse().ok()?..=last.trim().parse().ok()?)
    });
    ranges.flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_found_in_order() {
        assert_eq!(listed("Name:\tx\nCpus_allowed_list:\t3-5,7\n"), [3, 4, 5, 7]);
        assert_eq!(listed("Cpus_allowed_list:\t0\n"), [0]);
        assert_eq!(listed("Cpus_allowed_list:\t\n"), [0; 0]);
        assert_eq!(listed(""), [0; 0]);
        assert!(!allowed().is_empty());
    }

    #[test]
    fn a_command_keeps_its_arguments() {
        let mut command = Command::new("server");
        command.args(["hello", "--quiet"]);
        let expected = r#""taskset" "-c" "0,2" "server" "hello" "--quiet""#;
        assert_eq!(format!("{:?}", on(&[0, 2], &command)), expected);
    }
}
