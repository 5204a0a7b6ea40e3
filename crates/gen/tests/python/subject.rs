//! The crate under test, made to run the language of the table.

use std::cell::RefCell;
use std::fmt::Write;
use std::pin::Pin;
use std::rc::Rc;

use generator::{Co, Gen, Generator, State, Step, Throw};

use crate::language::{Answer, Call, Word, spell};

type Subject = Pin<Box<dyn Generator<Answer, Yield = i64, Return = Answer>>>;
type Log = Rc<RefCell<String>>;

/// What each call brings, in the words of the table.
pub(crate) fn outcomes(body: &[Word], calls: &[Call]) -> Vec<String> {
    let log = Log::default();
    let mut subject = generator(body.to_vec(), 0, &log);
    let mut outcomes = Vec::new();
    for &call in calls {
        let outcome = make(call, &mut subject);
        outcomes.push(outcome + &log.take());
    }
    outcomes
}

fn make(call: Call, subject: &mut Subject) -> String {
    match (call, subject.state()) {
        (Call::Next, State::Created) => brought(subject.as_mut().start().ok()),
        (Call::Next, _) => brought(subject.as_mut().send(Ok(None)).ok()),
        (Call::Send(value), _) => match subject.as_mut().send(Ok(Some(value))) {
            Err(refused) if refused.state() == State::Created => {
                assert_eq!(refused.into_value(), Ok(Some(value)), "given back");
                "type".to_string()
            }
            sent => brought(sent.ok()),
        },
        (Call::Throw(error), _) => match subject.as_mut().throw(error) {
            Ok(step) => brought(Some(step)),
            Err(error) => format!("e{error}"),
        },
        (Call::Close, _) => {
            subject.as_mut().close();
            "ok".to_string()
        }
        (Call::State, state) => format!("{state:?}").to_lowercase(),
    }
}

/// Python has one `StopIteration` for a generator that returns None and one that is closed.
fn brought(step: Option<Step<i64, Answer>>) -> String {
    match step {
        Some(Step::Yielded(value)) => format!("y{value}"),
        Some(Step::Complete(end)) => spell(end),
        None => "r-".to_string(),
    }
}

fn generator(body: Vec<Word>, depth: u32, log: &Log) -> Subject {
    let log = log.clone();
    Box::pin(Gen::new(|co| async move { run(&co, body, depth, &log).await }))
}

async fn run(co: &Co<i64, Answer>, body: Vec<Word>, depth: u32, log: &Log) -> Answer {
    let _finally = Finally(depth, log);
    let mut acc = 0;
    for word in body {
        let (answer, catch) = match word {
            Word::Yield { plus, catch } => (co.yield_(acc + plus).await, catch),
            Word::Delegate { child, catch } => {
                (co.delegate(generator(child, depth + 1, log)).await, catch)
            }
            Word::SeesItselfRunning => {
                let running = co.state().await == State::Running;
                (Ok(Some(i64::from(running))), false)
            }
            Word::Return => return Ok(Some(acc)),
            Word::Raise(error) => return Err(error),
        };
        match answer {
            Err(error) if catch => acc += 1000 * error,
            answer => acc += answer?.unwrap_or(0),
        }
    }
    Ok(None)
}

/// Notes the end of a body, however it ends.
struct Finally<'a>(u32, &'a Log);

impl Drop for Finally<'_> {
    fn drop(&mut self) {
        write!(self.1.borrow_mut(), "/{}", self.0).expect("a string takes all");
    }
}
