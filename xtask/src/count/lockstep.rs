//! A server and its clients in lock-step, so that what the server finds at each wait is no chance.
//!
//! How much a server does in one go is up to who runs when, and what a request costs depends on it:
//! from run to run the counts would differ by a tenth. So the server stands still while the clients
//! say all that they have to say in a round. It finds the whole of it in one wait, after the one
//! that the stop has interrupted.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::workloads::Manner;
use crate::load::{self, Dialogue};
use crate::report::{Failure, output};
use crate::server::{PATIENCE, Server};

/// A free port, and no line for each connection.
pub(super) const SERVE: [&str; 3] = ["--quiet", "--addr", "127.0.0.1:0"];

/// Serves `connections` at a time for so many rounds, and ends.
pub(super) fn run(
    mut command: Command,
    (dialogue, manner): (Dialogue, Manner),
    connections: u64,
    rounds: u64,
) -> Result<(), Failure> {
    command.args(SERVE);
    let server = Server::start(command)?;
    let id = server.worker();
    let mut clients = Vec::new();
    for _ in 0..rounds {
        stop(&id)?;
        if clients.is_empty() || manner == Manner::Churn {
            clients = load::open(server.address(), connections as usize)?;
        }
        load::ask(&mut clients, dialogue)?;
        signal("-CONT", &id)?;
        load::check(&mut clients, dialogue)?;
    }
    // Closed first: a server that is told to end lets its connections finish.
    drop(clients);
    server.terminate()?;
    Ok(())
}

/// Stops the server where it waits for its clients.
fn stop(id: &str) -> Result<(), Failure> {
    until(id, "S")?;
    signal("-STOP", id)?;
    // "t" where it is traced.
    until(id, "Tt")
}

fn signal(name: &str, id: &str) -> Result<(), Failure> {
    let mut kill = Command::new("kill");
    kill.args([name, id]);
    output(kill).map(drop)
}

/// Waits until the state of the process is one of `states`.
fn until(id: &str, states: &str) -> Result<(), Failure> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let status = std::fs::read_to_string(format!("/proc/{id}/stat"))?;
        if state(&status).is_some_and(|state| states.contains(state)) {
            return Ok(());
        }
        thread::sleep(LOOK);
    }
    Err(format!("the server has not come to one of the states {states:?}").into())
}

/// Between two looks at the server's state.
const LOOK: Duration = Duration::from_micros(50);

/// `42 (name) S ...`, of which the name may hold anything.
fn state(status: &str) -> Option<char> {
    status.rsplit_once(") ")?.1.chars().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_stands_behind_the_name() {
        assert_eq!(state("42 (hello) S 1 42"), Some('S'));
        assert_eq!(state("42 (odd ) T) t 1 42"), Some('t'));
        assert_eq!(state(""), None);
    }
}
