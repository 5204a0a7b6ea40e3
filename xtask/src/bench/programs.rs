//! What has to be built or found before anything is measured.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::arguments::{Plan, Suite};
use super::peers::{Kind, PEERS, Participant, Peer};
use super::record::RAW;
use super::{progress, ready};
use crate::cargo::{cargo, executables};
use crate::report::{Failure, Report, output};
use crate::tree;

/// The workspace of the load generator, the peers and the small programs.
const FOLDER: &str = "xtask/bench";

/// Everything that a run starts.
#[derive(Debug)]
pub(crate) struct Programs {
    /// The small programs, each of a suite.
    pub(crate) micro: Vec<(Suite, PathBuf)>,
    pub(crate) load: Option<PathBuf>,
    pub(crate) participants: Vec<Participant>,
}

/// Builds what the plan needs, and finds what the machine has; none if there is nothing to measure.
pub(crate) fn prepare(report: &mut Report, plan: &Plan) -> Option<Programs> {
    let serving = plan.wants(Suite::Net);
    let wanted: Vec<&'static Peer> =
        PEERS.iter().filter(|peer| serving && wants(plan, peer)).collect();
    let mut names: Vec<String> = Vec::new();
    for suite in plan.suites() {
        names.push(match suite {
            Suite::Net => "load".to_owned(),
            other => format!("micro-{}", other.name()),
        });
    }
    names.extend(wanted.iter().filter_map(|peer| match peer.kind {
        Kind::Rust { program, .. } => Some(program.to_owned()),
        _ => None,
    }));
    let bins = names.iter().flat_map(|name| ["--bin", name]);
    let build = inside(["build", "--release", "--quiet"].into_iter().chain(bins));
    let built = report.value("build what is measured", || executables(build))?;
    let participants = participants(report, &wanted, &built);
    let micro = plan
        .suites()
        .into_iter()
        .filter_map(|suite| Some((suite, find(&built, &format!("micro-{}", suite.name())).ok()?)));
    Some(Programs { micro: micro.collect(), load: find(&built, "load").ok(), participants })
}

/// Whether the plan measures the peer. Ours and the base are there for the sake of the ratios.
fn wants(plan: &Plan, peer: &Peer) -> bool {
    let needed = matches!(peer.kind, Kind::Ours) || peer.name == RAW;
    (peer.is_quick || !plan.is_quick) && (needed || plan.allows(peer.name))
}

/// Cargo, in the workspace of the peers.
pub(crate) fn inside<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = cargo(&[]);
    command.current_dir(tree::root().join(FOLDER)).args(arguments);
    command
}

/// Those that are there, with a line for each other one that says why it is not.
fn participants(
    report: &mut Report,
    wanted: &[&'static Peer],
    built: &[PathBuf],
) -> Vec<Participant> {
    let bar = progress::bar("prepare", wanted.len() as u64);
    let mut participants = Vec::new();
    for peer in wanted {
        bar.set_message(peer.name);
        if peer.kind == Kind::Ours {
            let built = || report.value("build hello and echo", || ready::ours(peer));
            participants.extend(bar.suspend(built));
        } else {
            match ready::prepared(peer, built) {
                Ok(participant) => participants.push(participant),
                Err(reason) => bar.suspend(|| report.skip(peer.name, &reason)),
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    participants
}

/// Where all that a run leaves is.
pub(crate) fn folder() -> PathBuf {
    tree::root().join("target").join("bench")
}

/// What a program says, if it is there and content.
pub(crate) fn told(program: &str, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new(program);
    command.args(arguments);
    output(command).ok()
}

pub(crate) fn find(built: &[PathBuf], name: &str) -> Result<PathBuf, Failure> {
    let found = built.iter().find(|path| path.file_stem().is_some_and(|stem| stem == name));
    Ok(found.ok_or_else(|| format!("{name} was not built"))?.clone())
}

/// The name and version of a crate in the lock file of the peers.
pub(crate) fn locked(name: &str) -> Option<String> {
    let lock = fs::read_to_string(tree::root().join(FOLDER).join("Cargo.lock")).ok()?;
    version(&lock, name).map(|version| format!("{name} {version}"))
}

/// The newest one: older ones stand before it, and are there for the sake of others.
fn version<'a>(lock: &'a str, name: &str) -> Option<&'a str> {
    let name = format!("name = \"{name}\"\nversion = \"");
    let (_, rest) = lock.rsplit_once(&name)?;
    rest.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_those_of_the_lock_file() {
        let lock = "[[package]]\nname = \"mio-extras\"\nversion = \"2.0\"\n\n\
                    [[package]]\nname = \"mio\"\nversion = \"0.8.11\"\nsource = \"x\"\n\n\
                    [[package]]\nname = \"mio\"\nversion = \"1.1.0\"\nsource = \"x\"\n";
        assert_eq!(version(lock, "mio"), Some("1.1.0"));
        assert_eq!(version(lock, "tokio"), None);
    }

    #[test]
    fn quick_and_lists_leave_peers_out_but_not_ours_and_raw() {
        let names = |arguments: &[&str]| {
            let plan = Plan::read(arguments).unwrap();
            let wanted = PEERS.iter().filter(|peer| wants(&plan, peer));
            wanted.map(|peer| peer.name).collect::<Vec<_>>()
        };
        assert_eq!(names(&["--quick"]), ["ours", "raw", "mio", "tokio"]);
        assert_eq!(names(&["--peers", "smol"]), ["ours", "raw", "smol"]);
        assert_eq!(names(&[]).len(), PEERS.len());
    }
}
