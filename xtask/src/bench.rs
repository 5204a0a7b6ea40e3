//! What the loop costs beside what one would use otherwise, measured on this machine.
//!
//! The load generator, the peers and the small programs are a workspace of their own, below xtask.

mod arguments;
mod document;
mod machine;
mod micro;
mod net;
mod peers;
mod plots;
mod programs;
mod progress;
mod ready;
mod record;
mod sheet;
mod statistics;

use std::fs;
use std::process::ExitCode;

use arguments::{Plan, Suite, USAGE};
use machine::Machine;
use net::{Field, Place};
use programs::Programs;
pub(crate) use programs::inside;
use record::Record;

use crate::processors;
use crate::report::{Failure, Report};

/// `bench [gen|sched|poll|net|timers|all] [--quick] [--peers LIST] [--threads N]`
pub(crate) fn main(arguments: &[&str]) -> ExitCode {
    if arguments.iter().any(|argument| ["--help", "-h"].contains(argument)) {
        print!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let plan = match Plan::read(arguments) {
        Ok(plan) => plan,
        Err(complaint) => {
            eprint!("bench: {complaint}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let mut report = Report::new();
    let mut machine = Machine::here(arguments);
    if let Some(programs) = programs::prepare(&mut report, &plan) {
        machine.add_versions(&plan, &programs.participants);
        let records = measure(&mut report, &plan, &programs, &mut machine);
        show(&mut report, &machine, &records);
    }
    report.finish()
}

fn measure(
    report: &mut Report,
    plan: &Plan,
    programs: &Programs,
    machine: &mut Machine,
) -> Vec<Record> {
    let mut records = Vec::new();
    for (suite, program) in &programs.micro {
        let mut measured = Vec::new();
        report.value_of_shown(suite.name(), || micro::run(plan, *suite, program, &mut measured));
        if !plan.is_quick {
            measured.extend(micro::counts::run(report, *suite, program, &measured));
        }
        records.extend(measured);
    }
    let Some(load) = programs.load.as_deref().filter(|_| plan.wants(Suite::Net)) else {
        return records;
    };
    if !processors::can_pin() {
        report.skip("net", "taskset is not installed, and servers would not stay on a processor");
        return records;
    }
    let place = Place::find();
    machine.add("processors", place.description(plan.threads));
    let field = Field { plan, participants: &programs.participants, load, place };
    records.extend(net::run(report, &field));
    records
}

/// Prints the tables, and writes them, the plots and all samples into the folder of the run.
fn show(report: &mut Report, machine: &Machine, records: &[Record]) {
    let sheets = sheet::sheets(records);
    for sheet in &sheets {
        println!("\n{}", document::terminal(sheet));
    }
    let folder = programs::folder();
    let skipped = report.skips().to_vec();
    let written = report.value("write the report", || -> Result<(), Failure> {
        fs::create_dir_all(&folder)?;
        // What an earlier run drew and this one does not would be taken for this one's.
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "svg") {
                fs::remove_file(path)?;
            }
        }
        let plots = plots::draw(&folder, records)?;
        let text = document::markdown(machine, &skipped, &sheets, &plots);
        fs::write(folder.join("report.md"), text)?;
        let json = document::json(machine, &skipped, records);
        Ok(fs::write(folder.join("report.json"), format!("{json:#}\n"))?)
    });
    if written.is_some() {
        println!("report.md, report.json and plots are in {}", folder.display());
    }
}
