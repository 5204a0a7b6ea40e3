//! Generators behave as Python's: against a record of what CPython did, and against a model of its rules.

mod language;
mod model;
mod subject;

use language::{Call, Word};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, prop_assert_eq, prop_oneof, proptest};

/// Written by `record.py`; refresh it with any CPython from 3.11 on.
const TABLE: &str = include_str!("table.txt");

#[test]
fn the_record_of_cpython_is_reproduced() {
    let lines: Vec<&str> = TABLE.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(lines.len() >= 400, "the table is whole");
    for line in lines {
        let (body, calls, recorded) = language::parse(line);
        assert_eq!(subject::outcomes(&body, &calls), recorded, "the crate, on {line}");
        assert_eq!(model::outcomes(&body, &calls), recorded, "the model, on {line}");
    }
}

#[test]
fn the_record_covers_every_kind_of_outcome() {
    let outcomes: Vec<&str> = TABLE.lines().filter_map(|line| line.split('|').nth(2)).collect();
    let words = || outcomes.iter().flat_map(|line| line.split_whitespace());
    for kind in ["y", "r", "r-", "e", "ok", "type", "created", "suspended", "closed"] {
        assert!(words().any(|word| word.starts_with(kind)), "none of {kind:?}");
    }
    assert!(words().any(|word| word == "ok/2/1/0"), "closed three deep");
}

fn body() -> impl Strategy<Value = Vec<Word>> {
    let word = prop_oneof![
        6 => (1..10_i64, proptest::bool::ANY).prop_map(|(plus, catch)| Word::Yield { plus, catch }),
        1 => Just(Word::SeesItselfRunning),
        1 => Just(Word::Return),
        1 => (1..10_i64).prop_map(Word::Raise),
    ];
    let words = word.prop_recursive(3, 24, 5, |word| {
        (vec(word, 0..5), proptest::bool::ANY)
            .prop_map(|(child, catch)| Word::Delegate { child, catch })
    });
    vec(words, 0..6)
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        5 => Just(Call::Next),
        5 => (1..10_i64).prop_map(Call::Send),
        3 => (1..10_i64).prop_map(Call::Throw),
        1 => Just(Call::Close),
        2 => Just(Call::State),
    ]
}

proptest! {
    #[test]
    fn random_programs_follow_the_model(body in body(), calls in vec(call(), 0..20)) {
        prop_assert_eq!(subject::outcomes(&body, &calls), model::outcomes(&body, &calls));
    }
}
