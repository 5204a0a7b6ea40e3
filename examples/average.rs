//! A running average: a generator that takes a number at every yield and gives the mean so far.
//!
//! Run it:     cargo run -p examples --bin average
//! Try this:   send a number after the generator was stopped, and see what comes back.

use std::error::Error;
use std::pin::pin;

use generator::{Co, Gen, Generator, State, Step, Throw};

/// What is thrown into the generator to end it.
#[derive(Debug)]
struct StopIteration;

/// Arithmetic mean.
async fn average(co: Co<Option<f64>, Result<f64, StopIteration>>) -> Option<f64> {
    let (mut count, mut total, mut mean) = (0.0, 0.0, None);
    loop {
        match co.yield_(mean).await {
            // gives out the mean, takes in x
            Ok(x) => {
                count += 1.0;
                total += x;
                mean = Some((total / count * 100.0_f64).round() / 100.0);
            }
            Err(StopIteration) => {
                println!("Done");
                return mean;
            }
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut gener = pin!(Gen::new(average)); // nothing has run yet
    println!("{}", name(gener.state()));
    gener.as_mut().start()?; // the first run, up to the first yield
    println!("{}", name(gener.state()));
    println!("{}", text(gener.as_mut().send(Ok(4.0))?)); // (0 + 4) / 1 = 4
    println!("{}", text(gener.as_mut().send(Ok(5.0))?)); // (4 + 5) / 2 = 4.5
    println!("{}", text(gener.as_mut().send(Ok(2.0))?)); // (4 + 5 + 2) / 3 = 3.67
    if let Ok(stop) = gener.as_mut().throw(StopIteration) {
        println!("{}", text(stop));
    }
    println!("{}", name(gener.state()));
    Ok(())
}

fn text(step: Step<Option<f64>, Option<f64>>) -> String {
    let number = |mean: Option<f64>| mean.map_or("None".to_owned(), |mean| format!("{mean:?}"));
    match step {
        Step::Yielded(mean) => number(mean),
        Step::Complete(mean) => format!("returned {}", number(mean)),
    }
}

/// What `getgeneratorstate` calls it.
fn name(state: State) -> &'static str {
    match state {
        State::Created => "GEN_CREATED",
        State::Running => "GEN_RUNNING",
        State::Suspended => "GEN_SUSPENDED",
        State::Closed => "GEN_CLOSED",
    }
}
