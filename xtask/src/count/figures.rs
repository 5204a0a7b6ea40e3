//! The figures that are kept with the sources, and the machine they were counted on.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Map, Value, json};

use super::Row;
use crate::report::{Failure, output};
use crate::tree;

/// What was counted, by name, and where.
#[derive(Debug, PartialEq)]
pub(super) struct Figures {
    pub(super) machine: Machine,
    pub(super) values: BTreeMap<String, f64>,
}

/// All that the counts depend on besides the sources: another compiler makes other instructions,
/// another libc does other work, and on another processor it chooses other functions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Machine {
    pub(super) rustc: String,
    pub(super) libc: String,
    pub(super) processor: String,
}

impl Figures {
    pub(super) fn new(machine: Machine, rows: &[Row]) -> Figures {
        // No digits that are chance.
        let rounded = |value: f64| (value * 100.0).round() / 100.0;
        let values = rows.iter().map(|row| (row.name.clone(), rounded(row.value)));
        Figures { machine, values: values.collect() }
    }

    /// Those that are kept.
    pub(super) fn read() -> Result<Figures, Failure> {
        Figures::parse(&std::fs::read_to_string(path())?)
    }

    pub(super) fn write(&self) -> Result<(), Failure> {
        Ok(std::fs::write(path(), self.to_string())?)
    }

    fn parse(text: &str) -> Result<Figures, Failure> {
        let all: Value = serde_json::from_str(text)?;
        let part = |name: &str| all[name].as_str().map(str::to_owned).ok_or(format!("no {name}"));
        let machine =
            Machine { rustc: part("rustc")?, libc: part("libc")?, processor: part("processor")? };
        let counts = all["counts"].as_object().ok_or("no counts")?;
        let value = |(name, value): (&String, &Value)| {
            let number = value.as_f64().ok_or_else(|| format!("{name}: {value} is no number"))?;
            Ok((name.clone(), number))
        };
        Ok(Figures { machine, values: counts.iter().map(value).collect::<Result<_, Failure>>()? })
    }
}

/// One figure a line, for whoever looks at what a change has changed.
impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine { rustc, libc, processor } = &self.machine;
        let values = self.values.iter().map(|(name, value)| (name.clone(), json!(value)));
        let counts: Map<String, Value> = values.collect();
        let all = json!({"rustc": rustc, "libc": libc, "processor": processor, "counts": counts});
        writeln!(f, "{all:#}")
    }
}

impl Machine {
    /// This one.
    ///
    /// # Errors
    ///
    /// rustc does not tell its version.
    pub(super) fn here() -> Result<Machine, Failure> {
        // In the root, where a file may choose the toolchain.
        let mut rustc = Command::new("rustc");
        rustc.current_dir(tree::root()).arg("--version");
        let mut getconf = Command::new("getconf");
        getconf.arg("GNU_LIBC_VERSION");
        let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let architecture = std::env::consts::ARCH;
        Ok(Machine {
            rustc: output(rustc)?.trim().to_owned(),
            // Where there is no glibc, there is none to tell apart either.
            libc: output(getconf).map_or("another".to_owned(), |version| version.trim().to_owned()),
            processor: model(&cpuinfo).unwrap_or(architecture).to_owned(),
        })
    }

    /// What differs from `other`, in one line; nothing if the same is to be counted.
    pub(super) fn differs(&self, other: &Machine) -> Option<String> {
        let parts = [
            (&self.rustc, &other.rustc),
            (&self.libc, &other.libc),
            (&self.processor, &other.processor),
        ];
        let different = parts.iter().filter(|(ours, theirs)| ours != theirs);
        let told: Vec<String> =
            different.map(|(ours, theirs)| format!("{ours:?}, not {theirs:?}")).collect();
        (!told.is_empty()).then(|| told.join("; "))
    }
}

/// The model in the first `model name : ...` of /proc/cpuinfo.
pub(crate) fn model(cpuinfo: &str) -> Option<&str> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim())
}

fn path() -> PathBuf {
    tree::root().join("xtask").join("figures.json")
}

#[cfg(test)]
mod tests {
    use super::super::Bound;
    use super::*;

    fn machine() -> Machine {
        let [rustc, libc, processor] =
            ["rustc 1.95.0 (a 2026-04-14)", "glibc 2.36", "A \"fast\" one"].map(str::to_owned);
        Machine { rustc, libc, processor }
    }

    fn row(name: &str, value: f64) -> Row {
        Row { name: name.to_owned(), value, bound: Bound::Known, unit: "per step".to_owned() }
    }

    #[test]
    fn what_is_written_is_read() {
        let figures = Figures::new(machine(), &[row("b, calls", 2.0402), row("a", 1.0)]);
        let text = figures.to_string();
        assert!(text.contains("\"b, calls\": 2.04\n"), "{text}");
        assert_eq!(Figures::parse(&text).unwrap(), figures);
    }

    #[test]
    fn what_is_missing_is_named() {
        let whole = Figures::new(machine(), &[row("a", 1.0)]).to_string();
        for (from, to, named) in [
            ("rustc\":", "cargo\":", "no rustc"),
            ("libc\":", "musl\":", "no libc"),
            ("processor\":", "core\":", "no processor"),
            ("counts\":", "count\":", "no counts"),
            ("1.0", "\"one\"", "a: \"one\" is no number"),
        ] {
            let failure = Figures::parse(&whole.replacen(from, to, 1)).unwrap_err().to_string();
            assert_eq!(failure, named);
        }
        assert!(Figures::parse("").is_err());
    }

    #[test]
    fn a_machine_differs_in_any_of_its_parts() {
        let here = machine();
        assert_eq!(here.differs(&machine()), None);
        let others = [
            Machine { rustc: "rustc 1.96.0".to_owned(), ..machine() },
            Machine { libc: "glibc 2.39".to_owned(), ..machine() },
            Machine { processor: "another".to_owned(), ..machine() },
        ];
        assert!(others.iter().all(|other| here.differs(other).is_some()));
        let told = here.differs(&others[1]).unwrap();
        assert_eq!(told, "\"glibc 2.36\", not \"glibc 2.39\"");
    }

    #[test]
    fn the_processor_is_found_by_its_name() {
        let cpuinfo = "processor\t: 0\nmodel\t\t: 1\nmodel name\t: A fast one\nflags\t: x\n";
        assert_eq!(model(cpuinfo), Some("A fast one"));
        assert_eq!(model("processor\t: 0\n"), None);
    }

    #[test]
    fn the_figures_of_the_tree_are_those_of_its_workloads() {
        let figures = Figures::read().unwrap();
        let counted = super::super::measure::names();
        let kept: Vec<&String> = figures.values.keys().collect();
        assert_eq!(kept, counted.iter().collect::<Vec<_>>());
    }
}
