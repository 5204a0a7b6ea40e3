//! Tests that need a process to themselves, because they use up what all its threads share.

use std::process::Command;

use net::Backend;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Set in the process that runs the body of a test.
const CHILD: &str = "NET_TEST_CHILD";

/// Runs `body` in another process, by running this very test there, for each backend.
pub(crate) fn in_a_process_of_its_own(test: &str, body: impl Fn(Backend)) {
    if let Ok(backend) = std::env::var(CHILD) {
        return body(backend.parse().unwrap());
    }
    for backend in Backend::available() {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", test, "--nocapture"]).env(CHILD, backend.to_string());
        let ended = command.output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{backend}: {said}");
    }
}

/// Allows this process so many descriptors.
pub(crate) fn lower_limit(descriptors: u64) {
    let current = Some(descriptors);
    let limit = Rlimit { current, ..getrlimit(Resource::Nofile) };
    setrlimit(Resource::Nofile, limit).unwrap();
}
