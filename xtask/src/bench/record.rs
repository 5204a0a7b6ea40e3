//! What one participant's runs of one case came to.

use serde_json::{Value, json};

use crate::report::Failure;

/// The name of what is compared with the others, in every suite.
pub(crate) const OURS: &str = "ours";

/// The name of what is written by hand over the system alone, where there is such a one.
pub(crate) const RAW: &str = "raw";

/// All samples of one figure, of one case at one size.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Record {
    pub(crate) suite: String,
    pub(crate) case: String,
    /// What grows, with the number of it; none where nothing does.
    pub(crate) size: Option<(String, u64)>,
    pub(crate) peer: String,
    pub(crate) metric: String,
    pub(crate) unit: String,
    /// Whether the others are divided by this one, besides by ours.
    pub(crate) is_base: bool,
    /// Whether it is a point of a curve over the size.
    pub(crate) grows: bool,
    /// One a round: those of all participants in one place come from the same round.
    pub(crate) samples: Vec<f64>,
}

impl Record {
    /// The record in a line that a program printed.
    pub(crate) fn read(line: &Value) -> Result<Record, Failure> {
        let text = |key: &str| {
            let text = line[key].as_str().map(str::to_owned);
            text.ok_or_else(|| format!("no {key:?} in the record {line}"))
        };
        let samples = line["samples"].as_array().ok_or_else(|| format!("no samples in {line}"))?;
        let samples: Option<Vec<f64>> = samples.iter().map(Value::as_f64).collect();
        Ok(Record {
            suite: text("suite")?,
            case: text("case")?,
            size: line["parameter"].as_str().map(str::to_owned).zip(line["size"].as_u64()),
            peer: text("peer")?,
            metric: text("metric")?,
            unit: text("unit")?,
            is_base: line["base"] == true,
            grows: line["grow"] == true,
            samples: samples.ok_or_else(|| format!("a sample that is no number in {line}"))?,
        })
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "suite": self.suite,
            "case": self.case,
            "parameter": self.size.as_ref().map(|(parameter, _)| parameter),
            "size": self.size.as_ref().map(|(_, size)| size),
            "peer": self.peer,
            "metric": self.metric,
            "unit": self.unit,
            "base": self.is_base,
            "grow": self.grows,
            "samples": self.samples,
        })
    }

    /// Whether both belong into one comparison.
    pub(crate) fn is_beside(&self, other: &Record) -> bool {
        let key = |record: &Record| {
            let Record { suite, case, size, metric, unit, .. } = record.clone();
            (suite, case, size, metric, unit)
        };
        key(self) == key(other)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A record with three samples around the value.
    pub(crate) fn sample(case: &str, size: Option<u64>, peer: &str, value: f64) -> Record {
        Record {
            suite: "sched".into(),
            case: case.into(),
            size: size.map(|size| ("tasks".into(), size)),
            peer: peer.into(),
            metric: "cpu".into(),
            unit: "ns/step".into(),
            is_base: peer == OURS,
            grows: false,
            samples: vec![value, value * 1.5, value * 0.5],
        }
    }

    #[test]
    fn a_record_is_read_as_it_is_written() {
        for size in [Some(100), None] {
            let record = sample("lap", size, OURS, 2.0);
            assert_eq!(Record::read(&record.json()).unwrap(), record);
        }
    }

    #[test]
    fn what_a_record_lacks_is_named() {
        let whole = sample("lap", None, "tokio", 2.0).json();
        for key in ["suite", "case", "peer", "metric", "unit", "samples"] {
            let mut line = whole.clone();
            line[key] = Value::Null;
            let failure = Record::read(&line).unwrap_err().to_string();
            assert!(failure.contains(key), "{failure}");
        }
        let mut line = whole;
        line["samples"] = json!([1, "two"]);
        assert!(Record::read(&line).unwrap_err().to_string().contains("no number"));
    }

    #[test]
    fn a_comparison_is_of_one_case_and_size() {
        let record = sample("lap", Some(2), "tokio", 2.0);
        assert!(record.is_beside(&sample("lap", Some(2), OURS, 1.0)));
        assert!(!record.is_beside(&sample("lap", Some(3), OURS, 1.0)));
        assert!(!record.is_beside(&sample("spawn", Some(2), OURS, 1.0)));
        let memory = Record { metric: "memory".into(), ..sample("lap", Some(2), OURS, 1.0) };
        assert!(!record.is_beside(&memory));
    }
}
