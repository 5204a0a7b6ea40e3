//! The same answer for each blank line, on an epoll loop that is written by hand: HTTP without any
//! parsing.

use std::process::ExitCode;

use servers::{Arguments, Canned, Failure, Service, Unavailable, on_threads, serve};

fn main() -> ExitCode {
    servers::main(run)
}

fn run(arguments: Arguments) -> Result<(), Failure> {
    if arguments.service != Service::Http {
        return Err(Unavailable("serves http").into());
    }
    on_threads(arguments.threads, |listener| serve(listener, Canned::default()))
}
