//! Answers `Hello world` to everything that is said to it: the note's server.
//!
//! `cargo run -p net --bin hello`, then `nc 127.0.0.1 5001` and type; with `-- --http`, open
//! <http://127.0.0.1:5001/> in a browser.

use std::process::ExitCode;

use net::programs::Program;

fn main() -> ExitCode {
    let about = "answers `Hello world` to every read";
    Program { name: "hello", about, address: "127.0.0.1:5001", speaks_http: true }
        .main(net::handlers::hello)
}
