//! Sends back what is said to it: the note's selectors server, on the event loop.
//!
//! `cargo run -p net --bin echo`, then `nc localhost 8008` and type.

use std::process::ExitCode;

use net::programs::Program;

fn main() -> ExitCode {
    let about = "sends back every byte";
    Program { name: "echo", about, address: "localhost:8008", speaks_http: false }
        .main(net::handlers::echo)
}
