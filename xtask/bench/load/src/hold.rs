//! Connections that are held for somebody who looks at the server meanwhile.

use std::io::{self, BufRead, Write};
use std::net::SocketAddrV4;

use serde_json::json;

use crate::crowd::Crowd;
use crate::sources::Sources;
use crate::{Failure, Scenario};

/// Grows to each number of `steps`, with every connection answered by hello once, and says so with
/// a line; goes on with each line of the input, and returns when the input ends.
///
/// # Errors
///
/// Those of the connections, and an answer that is not as it should be.
pub fn hold(
    address: SocketAddrV4,
    steps: &[usize],
    mut input: impl BufRead,
    mut output: impl Write,
) -> Result<(), Failure> {
    let mut crowd = Crowd::new(Scenario::Hello, Sources::new(address))?;
    let mut steps = steps.iter().peekable();
    while let Some(&step) = steps.next() {
        crowd.grow(step)?;
        writeln!(output, "{}", json!({ "held": step }))?;
        output.flush()?;
        if steps.peek().is_some() && input.read_line(&mut String::new())? == 0 {
            return Ok(());
        }
    }
    io::copy(&mut input, &mut io::sink())?;
    Ok(())
}
