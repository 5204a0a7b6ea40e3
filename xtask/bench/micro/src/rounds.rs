//! Rounds in which every peer has a turn, and the records of them.

use std::error::Error;
use std::io::{Write, stdout};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::{Case, Figure, OURS, Plan, Size};

/// Measures what the plan wants of the cases and prints a record for each peer.
pub(crate) fn measure(suite: &str, cases: &[Case], plan: &Plan) -> Result<(), Box<dyn Error>> {
    let contests: Vec<Contest> = cases.iter().flat_map(|case| contests(case, plan)).collect();
    let records: usize = contests.iter().map(|contest| contest.peers.len()).sum();
    print(&json!({ "plan": records }))?;
    let program = std::env::current_exe()?;
    for contest in contests {
        let rounds = plan.rounds(contest.size.rounds);
        for record in contest.run(suite, rounds, |peer| sample(&program, &contest, peer))? {
            print(&record)?;
        }
    }
    Ok(())
}

/// A case at one size, and those who do it.
struct Contest<'a> {
    case: &'a Case,
    size: Size,
    peers: Vec<&'static str>,
}

fn contests<'a>(case: &'a Case, plan: &Plan) -> impl Iterator<Item = Contest<'a>> {
    let wanted = case.peers.iter().filter(|peer| plan.wants(peer.name) && (peer.is_there)());
    let mut peers: Vec<_> = wanted.map(|peer| peer.name).collect();
    if peers.contains(&OURS) {
        peers.push(AGAIN);
    }
    let sizes = case.sizes.iter().filter(|size| size.quick || !plan.quick);
    sizes.map(move |&size| Contest { case, size, peers: peers.clone() })
}

/// The second turn of ours in each round.
const AGAIN: &str = "ours again";

impl Contest<'_> {
    fn run(
        &self,
        suite: &str,
        rounds: usize,
        mut sample: impl FnMut(&'static str) -> Figure,
    ) -> Result<Vec<Value>, Box<dyn Error>> {
        let mut samples = vec![Vec::with_capacity(rounds); self.peers.len()];
        for _ in 0..rounds {
            for (samples, &peer) in samples.iter_mut().zip(&self.peers) {
                samples.push(sample(if peer == AGAIN { OURS } else { peer })?);
            }
        }
        let records = self.peers.iter().zip(samples);
        Ok(records.map(|(peer, samples)| self.record(suite, peer, &samples)).collect())
    }

    fn record(&self, suite: &str, peer: &str, samples: &[f64]) -> Value {
        let case = self.case;
        json!({
            "suite": suite,
            "case": case.name,
            "parameter": case.parameter,
            "size": case.parameter.map(|_| self.size.size),
            "peer": peer,
            "metric": case.metric,
            "unit": case.unit,
            "base": peer == OURS,
            "grow": case.grow,
            "iterations": self.size.iterations,
            "samples": samples,
        })
    }
}

/// One turn, in a process of its own.
fn sample(program: &Path, contest: &Contest<'_>, peer: &str) -> Figure {
    let Size { size, iterations, .. } = contest.size;
    let mut command = Command::new(program);
    command.args(["--sample", contest.case.name, peer, &size.to_string(), &iterations.to_string()]);
    let output = command.stderr(Stdio::inherit()).output()?;
    let text = String::from_utf8(output.stdout)?;
    let figure = output.status.success().then(|| text.trim().parse::<f64>().ok()).flatten();
    figure
        .ok_or_else(|| format!("{:?} by {peer} gave no figure: {text:?}", contest.case.name).into())
}

fn print(value: &Value) -> Result<(), Box<dyn Error>> {
    let mut output = stdout().lock();
    writeln!(output, "{value}")?;
    Ok(output.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Peer;

    fn case() -> Case {
        let idle = |_, _| Ok(0.0);
        Case {
            name: "lap",
            parameter: Some("tasks"),
            metric: "cpu",
            unit: "ns/step",
            grow: false,
            sizes: vec![Size::new(2, 10), Size::new(1000, 1).thorough(3)],
            peers: vec![
                Peer::new(OURS, idle),
                Peer::new("tokio", idle),
                Peer::new("mio", idle),
                Peer::new("away", idle).if_there(|| false),
            ],
        }
    }

    #[test]
    fn peers_take_turns_and_ours_has_two() {
        let plan = Plan { peers: Some(vec!["tokio".into()]), ..Plan::default() };
        let case = case();
        let contest = contests(&case, &plan).next().unwrap();
        let mut turns = Vec::new();
        let sample = |peer| {
            turns.push(peer);
            Ok(turns.len() as f64)
        };
        let records = contest.run("sched", 2, sample).unwrap();
        assert_eq!(turns, ["ours", "tokio", "ours", "ours", "tokio", "ours"]);
        let of = |key: &str| records.iter().map(|record| record[key].clone()).collect::<Vec<_>>();
        assert_eq!(of("peer"), ["ours", "tokio", "ours again"]);
        assert_eq!(of("base"), [true, false, false]);
        assert_eq!(of("samples"), [json!([1.0, 4.0]), json!([2.0, 5.0]), json!([3.0, 6.0])]);
        assert_eq!((&records[0]["size"], &records[0]["case"]), (&json!(2), &json!("lap")));
    }

    #[test]
    fn quick_leaves_out_what_is_thorough() {
        let sizes = |plan: &Plan| {
            contests(&case(), plan).map(|contest| contest.size.size).collect::<Vec<_>>()
        };
        assert_eq!(sizes(&Plan::default()), [2, 1000]);
        assert_eq!(sizes(&Plan { quick: true, ..Plan::default() }), [2]);
    }

    #[test]
    fn who_is_not_there_has_no_turn() {
        let case = case();
        let contest = contests(&case, &Plan::default()).next().unwrap();
        assert_eq!(contest.peers, ["ours", "tokio", "mio", "ours again"]);
    }

    #[test]
    fn where_nothing_grows_there_is_no_size() {
        let case = Case { parameter: None, sizes: vec![Size::new(0, 1)], ..case() };
        let contest = contests(&case, &Plan::default()).next().unwrap();
        let record = contest.record("gen", "mio", &[1.5]);
        assert!(record["size"].is_null() && record["parameter"].is_null());
    }
}
