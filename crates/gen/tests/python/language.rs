//! The small language of the table: bodies and calls. `record.py` explains its words.

/// What a body is made of.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Word {
    Yield { plus: i64, catch: bool },
    Delegate { child: Vec<Word>, catch: bool },
    SeesItselfRunning,
    Return,
    Raise(i64),
}

/// What is called on the generator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Call {
    Next,
    Send(i64),
    Throw(i64),
    Close,
    State,
}

/// What is sent, and what a body ends with: a value or Python's None, or an error.
pub(crate) type Answer = Result<Option<i64>, i64>;

/// How the table writes what a body ended with.
pub(crate) fn spell(end: Answer) -> String {
    match end {
        Ok(Some(value)) => format!("r{value}"),
        Ok(None) => "r-".to_string(),
        Err(number) => format!("e{number}"),
    }
}

/// A line of the table: the body, the calls and the outcomes.
pub(crate) fn parse(line: &str) -> (Vec<Word>, Vec<Call>, Vec<&str>) {
    let parts: Vec<&str> = line.split('|').collect();
    let [body, calls, outcomes] = parts[..] else { panic!("three parts in {line:?}") };
    let mut words = body.split_whitespace();
    let body = parse_body(&mut words);
    let calls = calls.split_whitespace().map(parse_call).collect();
    (body, calls, outcomes.split_whitespace().collect())
}

/// Reads to the bracket that closes this body, or to the end.
fn parse_body<'a>(words: &mut impl Iterator<Item = &'a str>) -> Vec<Word> {
    let mut body = Vec::new();
    while let Some(word) = words.next() {
        body.push(match word.split_at(1) {
            (")" | "]", "") => break,
            (open @ ("(" | "["), "") => {
                Word::Delegate { child: parse_body(words), catch: open == "[" }
            }
            (letter @ ("y" | "c"), plus) => {
                Word::Yield { plus: number(plus), catch: letter == "c" }
            }
            ("s", "") => Word::SeesItselfRunning,
            ("r", "") => Word::Return,
            ("x", error) => Word::Raise(number(error)),
            _ => panic!("no such word: {word:?}"),
        });
    }
    body
}

fn parse_call(call: &str) -> Call {
    match call.split_at(1) {
        ("n", "") => Call::Next,
        ("+", value) => Call::Send(number(value)),
        ("!", error) => Call::Throw(number(error)),
        ("k", "") => Call::Close,
        ("?", "") => Call::State,
        _ => panic!("no such call: {call:?}"),
    }
}

fn number(digits: &str) -> i64 {
    digits.parse().expect("a number")
}
