//! The average so far, of the numbers typed in: a generator that is sent numbers and errors.
//!
//!     cargo run -p gen --example average
//!
//! Type a number a line. Try a word, which is thrown into the generator; `reset`, which it handles; and an empty line.

use std::io;
use std::num::ParseFloatError;
use std::pin::pin;

use generator::{Co, Gen, Generator, Step, Throw};

/// What the console asks of the generator instead of sending a number.
enum Signal {
    Reset,
    Malformed(ParseFloatError),
}

type Input = Result<f64, Signal>;

async fn average(co: Co<Option<f64>, Input>) -> ParseFloatError {
    let (mut count, mut sum) = (0, 0.0);
    loop {
        let average = (count > 0).then(|| sum / f64::from(count));
        match co.yield_(average).await {
            Ok(x) => (count, sum) = (count + 1, sum + x),
            Err(Signal::Reset) => (count, sum) = (0, 0.0),
            Err(Signal::Malformed(error)) => return error,
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut gener = pin!(Gen::new(average));
    gener.as_mut().start()?;
    for line in io::stdin().lines() {
        let step = match line?.trim() {
            "" => break,
            "reset" => gener.as_mut().throw(Signal::Reset).ok(),
            text => match text.parse() {
                Ok(x) => Some(gener.as_mut().send(Ok(x))?),
                Err(error) => gener.as_mut().throw(Signal::Malformed(error)).ok(),
            },
        };
        match step {
            Some(Step::Yielded(Some(average))) => println!("{average:.2}"),
            Some(Step::Yielded(None)) => println!("nothing yet"),
            Some(Step::Complete(error)) => return Err(error.into()),
            None => break,
        }
    }
    gener.close();
    println!("Done");
    Ok(())
}
