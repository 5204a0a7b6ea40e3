//! wrk and ab, which ask often, and count what is not answered as it should be.

use std::process::Command;

use super::{Folder, says};
use crate::report::{Failure, output};
use crate::server::Server;

/// Makes each request sixteen, one behind the other.
const PIPELINE: &str = "\
init = function(args)
  local requests = {}
  for number = 1, 16 do
    requests[number] = wrk.format()
  end
  pipeline = table.concat(requests)
end

request = function()
  return pipeline
end
";

/// Kept connections for a second, then with pipelining.
pub(super) fn wrk(server: &mut Server, folder: &Folder) -> Result<(), Failure> {
    let script = folder.file("pipeline.lua", PIPELINE)?;
    for arguments in [&[][..], &["--script", &script]] {
        let mut command = Command::new("wrk");
        command.args(["--threads", "1", "--connections", "20", "--duration", "1s"]);
        command.args(arguments).arg(format!("http://{}/", server.address()));
        faultless(&output(command)?)?;
    }
    Ok(())
}

/// wrk counted requests, and nothing else.
pub(crate) fn faultless(said: &str) -> Result<(), Failure> {
    let some = requests(said).is_some_and(|requests| requests > 0);
    let faults = said.contains("Socket errors") || said.contains("Non-2xx");
    if some && !faults { Ok(()) } else { Err(said.into()) }
}

/// How many requests wrk counted.
pub(crate) fn requests(said: &str) -> Option<u64> {
    let line = said.lines().find_map(|line| line.trim().split_once(" requests in "));
    line?.0.parse().ok()
}

/// Connections that are kept and not, with bodies to both sides and without.
pub(super) fn ab(server: &mut Server, folder: &Folder) -> Result<(), Failure> {
    let body = folder.file("body", &"x".repeat(10_000))?;
    let url = format!("http://{}/", server.address());
    for arguments in [&["-k"][..], &[], &["-k", "-i"], &["-k", "-p", &body, "-T", "text/plain"]] {
        let mut command = Command::new("ab");
        command.args(["-q", "-n", "2000", "-c", "20", "-s", "60"]).args(arguments).arg(&url);
        let said = output(command)?;
        answered(&said, arguments.contains(&"-k"))
            .map_err(|failure| format!("{arguments:?}: {failure}"))?;
    }
    Ok(())
}

/// ab had an answer to all that it asked, on connections that were kept if it said so.
fn answered(said: &str, is_kept: bool) -> Result<(), Failure> {
    let said: Vec<&str> = said.split_whitespace().collect();
    let said = said.join(" ");
    says(&said, "Complete requests: 2000 Failed requests: 0 ")?;
    if is_kept {
        says(&said, "Keep-Alive requests: 2000 ")?;
    }
    if said.contains("Non-2xx") { Err(said.into()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrk_must_have_counted_requests_and_no_faults() {
        assert!(faultless("Running\n  1234 requests in 1.00s, 1MB read\n").is_ok());
        for bad in [
            "  0 requests in 1.00s, 0B read\n",
            "unable to connect\n",
            "  9 requests in 1.00s\n  Socket errors: connect 0, read 1, write 0, timeout 0\n",
            "  9 requests in 1.00s\n  Non-2xx or 3xx responses: 9\n",
        ] {
            assert!(faultless(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ab_must_have_been_answered_each_time() {
        let said = "Complete requests:      2000\nFailed requests:        0\n";
        let kept = format!("{said}Keep-Alive requests:    2000\nTotal\n");
        assert!(answered(&kept, true).is_ok());
        assert!(answered(&format!("{said}Total\n"), true).is_err());
        assert!(answered(&format!("{said}Non-2xx responses:      2000\n"), false).is_err());
        assert!(answered(&kept.replace("requests:        0", "requests: 1"), true).is_err());
    }
}
