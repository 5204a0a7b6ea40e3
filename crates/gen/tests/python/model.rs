//! A reference model of Python's rules: bodies as a stack of frames, without any generator.

use crate::language::{Answer, Call, Word, spell};

/// What each call brings, in the words of the table.
pub(crate) fn outcomes(body: &[Word], calls: &[Call]) -> Vec<String> {
    let mut model = Model::Created(body);
    calls.iter().map(|&call| model.make(call)).collect()
}

enum Model<'a> {
    Created(&'a [Word]),
    /// The innermost child is last; its word before `next` waits for an answer.
    Suspended(Vec<Frame<'a>>),
    Closed,
}

impl Model<'_> {
    fn make(&mut self, call: Call) -> String {
        let (outcome, model) = match (call, std::mem::replace(self, Model::Closed)) {
            (Call::State, model) => (model.state().to_string(), model),
            (Call::Send(_), model @ Model::Created(_)) => ("type".to_string(), model),
            (Call::Next, Model::Created(body)) => advance(vec![Frame::new(body)], None),
            (Call::Next, Model::Suspended(frames)) => advance(frames, Some(Ok(None))),
            (Call::Send(value), Model::Suspended(frames)) => advance(frames, Some(Ok(Some(value)))),
            (Call::Throw(error), Model::Suspended(frames)) => advance(frames, Some(Err(error))),
            (Call::Throw(error), _) => (format!("e{error}"), Model::Closed),
            (Call::Close, Model::Suspended(frames)) => {
                let depths = (0..frames.len()).rev();
                ("ok".to_string() + &depths.map(finally).collect::<String>(), Model::Closed)
            }
            (Call::Close, _) => ("ok".to_string(), Model::Closed),
            (Call::Next | Call::Send(_), Model::Closed) => ("r-".to_string(), Model::Closed),
        };
        *self = model;
        outcome
    }

    fn state(&self) -> &'static str {
        match self {
            Model::Created(_) => "created",
            Model::Suspended(_) => "suspended",
            Model::Closed => "closed",
        }
    }
}

/// Runs until a frame yields or the last one ends.
fn advance<'a>(mut frames: Vec<Frame<'a>>, mut answer: Option<Answer>) -> (String, Model<'a>) {
    let mut ends = String::new();
    loop {
        let frame = frames.last_mut().expect("one is running");
        match frame.run(answer.take()) {
            Event::Yields(value) => return (format!("y{value}") + &ends, Model::Suspended(frames)),
            Event::Calls(child) => frames.push(Frame::new(child)),
            Event::Ends(end) => {
                frames.pop();
                ends += &finally(frames.len());
                if frames.is_empty() {
                    return (spell(end) + &ends, Model::Closed);
                }
                answer = Some(end);
            }
        }
    }
}

fn finally(depth: usize) -> String {
    format!("/{depth}")
}

struct Frame<'a> {
    body: &'a [Word],
    next: usize,
    acc: i64,
}

enum Event<'a> {
    Yields(i64),
    Calls(&'a [Word]),
    Ends(Answer),
}

impl<'a> Frame<'a> {
    fn new(body: &'a [Word]) -> Frame<'a> {
        Frame { body, next: 0, acc: 0 }
    }

    fn run(&mut self, answer: Option<Answer>) -> Event<'a> {
        match answer {
            Some(Err(error)) if !self.catches() => return Event::Ends(Err(error)),
            Some(Err(error)) => self.acc += 1000 * error,
            Some(Ok(value)) => self.acc += value.unwrap_or(0),
            None => {}
        }
        while let Some(word) = self.body.get(self.next) {
            self.next += 1;
            match word {
                Word::Yield { plus, .. } => return Event::Yields(self.acc + plus),
                Word::Delegate { child, .. } => return Event::Calls(child),
                Word::SeesItselfRunning => self.acc += 1,
                Word::Return => return Event::Ends(Ok(Some(self.acc))),
                Word::Raise(error) => return Event::Ends(Err(*error)),
            }
        }
        Event::Ends(Ok(None))
    }

    /// Whether the word that waits for an answer catches errors.
    fn catches(&self) -> bool {
        matches!(
            self.body[self.next - 1],
            Word::Yield { catch: true, .. } | Word::Delegate { catch: true, .. }
        )
    }
}
