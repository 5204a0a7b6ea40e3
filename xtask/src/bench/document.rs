//! The report as text: for the terminal, as Markdown, and as JSON.

use comfy_table::presets::{ASCII_MARKDOWN, UTF8_FULL_CONDENSED};
use comfy_table::{CellAlignment, Table, TableStyle};
use serde_json::{Value, json};

use super::machine::Machine;
use super::record::Record;
use super::sheet::Sheet;

/// What a reader has to know to read the tables.
const HOW_TO_READ: &str = "\
Each figure is the median over the rounds; with the first of a table come its quartiles. In each round \
everybody was measured once, in an order that changes. A column with ÷ is the median over the rounds of what somebody's figure is to \
the other's in the same round; behind it stands an interval which holds the true median with a probability \
of about 95%, by the order of the samples alone. Rows named `again` are the same program once more: what \
differs there is noise. Processor time comes first, because it is what can be compared on a machine that \
others use too; in net it is all of the server's process, kernel included, as the 25th percentile of short \
slices. Throughput and latency are those of a closed loop, and only those of the server where the load \
generator's utilisation is clearly below 1.
";

/// One table as it is shown on a terminal.
pub(crate) fn terminal(sheet: &Sheet) -> String {
    format!("{}: {}\n{}\n", sheet.suite, sheet.case, table(sheet, UTF8_FULL_CONDENSED))
}

/// The whole report; `plots` are the names of files beside it, with what they show.
pub(crate) fn markdown(
    machine: &Machine,
    skipped: &[String],
    sheets: &[Sheet],
    plots: &[Plot],
) -> String {
    let mut text = String::from("# Beside peers\n\n");
    for (name, value) in &machine.facts {
        text.push_str(&format!("- {name}: {value}\n"));
    }
    for line in skipped {
        text.push_str(&format!("- not measured: {line}\n"));
    }
    text.push_str(&format!("\n{HOW_TO_READ}"));
    for sheet in sheets {
        let Sheet { suite, case, .. } = sheet;
        let table = table(sheet, ASCII_MARKDOWN);
        text.push_str(&format!("\n## {suite}: {case}\n\n{table}\n"));
        for plot in plots.iter().filter(|plot| plot.suite == *suite && plot.case == *case) {
            text.push_str(&format!("\n![{}]({})\n", plot.title, plot.file));
        }
    }
    text
}

/// An SVG file in the folder of the report.
#[derive(Debug)]
pub(crate) struct Plot {
    pub(crate) suite: String,
    pub(crate) case: String,
    pub(crate) title: String,
    pub(crate) file: String,
}

/// Every sample.
pub(crate) fn json(machine: &Machine, skipped: &[String], records: &[Record]) -> Value {
    let facts: serde_json::Map<String, Value> =
        machine.facts.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    let records: Vec<Value> = records.iter().map(Record::json).collect();
    json!({ "machine": facts, "skipped": skipped, "records": records })
}

fn table(sheet: &Sheet, style: TableStyle) -> Table {
    let mut table = Table::new();
    table.load_style(style).set_header(&sheet.head).add_rows(&sheet.rows);
    let peer = sheet.head.iter().position(|head| head == "peer");
    for (at, column) in table.column_iter_mut().enumerate() {
        if Some(at) != peer {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::super::record::OURS;
    use super::super::record::tests::sample;
    use super::super::sheet::sheets;
    use super::*;

    fn machine() -> Machine {
        Machine { facts: vec![("processor".into(), "Some, 2 of them".into())] }
    }

    #[test]
    fn markdown_holds_facts_tables_and_plots() {
        let records = [sample("lap", None, OURS, 10.0), sample("lap", None, "tokio", 40.0)];
        let plot = Plot {
            suite: "sched".into(),
            case: "lap".into(),
            title: "a lap".into(),
            file: "sched-lap.svg".into(),
        };
        let skipped = ["go: go is not installed".to_owned()];
        let text = markdown(&machine(), &skipped, &sheets(&records), &[plot]);
        let start = "# Beside peers\n\n- processor: Some, 2 of them\n\
                     - not measured: go: go is not installed\n\nEach figure";
        assert!(text.starts_with(start), "{text}");
        let table = "\n## sched: lap\n\n\
            | peer  |        cpu, ns/step |                 ÷ ours |\n\
            |-------|---------------------|------------------------|\n\
            | ours  | 10.0 (7.50 to 12.5) |                        |\n\
            | tokio | 40.0 (30.0 to 50.0) | 4.000 (4.000 to 4.000) |\n\
            \n![a lap](sched-lap.svg)\n";
        assert!(text.ends_with(table), "{text}");
    }

    #[test]
    fn a_terminal_shows_the_same_cells() {
        let text = terminal(&sheets(&[sample("lap", Some(2), OURS, 10.0)])[0]);
        assert!(text.starts_with("sched: lap\n"), "{text}");
        assert!(text.contains("10.0 (7.50 to 12.5)") && text.contains("tasks"), "{text}");
    }

    #[test]
    fn json_holds_every_sample() {
        let records = [sample("lap", Some(2), OURS, 10.0)];
        let value = json(&machine(), &[], &records);
        assert_eq!(value["machine"]["processor"], "Some, 2 of them");
        assert_eq!(Record::read(&value["records"][0]).unwrap(), records[0]);
    }
}
