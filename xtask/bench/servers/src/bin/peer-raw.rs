//! hello and echo on an epoll loop that is written by hand.

use std::process::ExitCode;

use servers::{Arguments, Echo, Failure, Hello, Service, Unavailable, on_threads, serve};

fn main() -> ExitCode {
    servers::main(run)
}

fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.service {
        Service::Hello => on_threads(arguments.threads, |listener| serve(listener, Hello)),
        Service::Echo => on_threads(arguments.threads, |listener| serve(listener, Echo)),
        Service::Http => Err(Unavailable("serves hello and echo").into()),
    }
}
