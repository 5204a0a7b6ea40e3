//! `hello --http`, asked by the clients that people use, and behind the proxies that they put before it.

mod curl;
pub(crate) mod loads;
mod proxies;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, process};

use crate::cargo::{cargo, executables};
use crate::report::{Failure, Report};
use crate::server::Server;
use crate::tool::Tool;

/// How a client puts the server to the test.
type Trial = fn(&mut Server, &Folder) -> Result<(), Failure>;

const TRIALS: [(Tool, Trial); 3] =
    [(Tool::Curl, curl::ask), (Tool::Wrk, loads::wrk), (Tool::Ab, loads::ab)];

const PROXIES: [(Tool, Trial); 2] =
    [(Tool::Nginx, proxies::nginx), (Tool::Haproxy, proxies::haproxy)];

/// Builds hello and runs each trial against one of its own.
pub(crate) fn run(report: &mut Report) {
    let build = cargo(&["build", "--package", "net", "--bin", "hello"]);
    let built = report.value("build hello", || {
        executables(build)?.pop().ok_or_else(|| "no executable was built".into())
    });
    let Some(program) = built else { return };
    for (tool, trial) in TRIALS {
        let name = format!("hello --http and {}", tool.name());
        if report.has(tool, &name) {
            report.step(&name, || tried(&program, trial));
        }
    }
    for (tool, trial) in PROXIES {
        // What is behind a proxy is asked by curl.
        let name = format!("hello --http behind {}", tool.name());
        if report.has(tool, &name) && report.has(Tool::Curl, &name) {
            report.step(&name, || tried(&program, trial));
        }
    }
}

/// A failure comes with what the server said about it, and it may say nothing.
fn tried(program: &Path, trial: Trial) -> Result<(), Failure> {
    let folder = Folder::new()?;
    let mut command = Command::new(program);
    command.args(["--http", "--addr", "127.0.0.1:0"]);
    let mut server = Server::start(command)?;
    let result = trial(&mut server, &folder);
    let errors = server.errors();
    match result {
        Ok(()) if errors.is_empty() => Ok(()),
        Ok(()) => Err(errors.into()),
        Err(failure) => Err(format!("{failure}\n{errors}").into()),
    }
}

/// A folder for the files of one trial; removed with them when it is dropped. Its path is short, as
/// those of sockets have to be.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Result<Folder, Failure> {
        let path = env::temp_dir().join(format!("hello-http-{}", process::id()));
        fs::create_dir(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Folder(path))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file, and returns its path.
    pub(crate) fn file(&self, name: &str, content: &str) -> Result<String, Failure> {
        let path = self.path(name);
        fs::write(&path, content)?;
        Ok(path.display().to_string())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is left in the system's folder for such files.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// `expected` stands in what a client said.
fn says(said: &str, expected: &str) -> Result<(), Failure> {
    if said.contains(expected) {
        return Ok(());
    }
    Err(format!("--- expected\n{expected}\n--- said\n{said}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_shown() {
        assert!(says("HTTP/1.1 200 OK\r\n", "200 OK").is_ok());
        let failure = says("HTTP/1.1 500\r\n", "200 OK").unwrap_err().to_string();
        assert_eq!(failure, "--- expected\n200 OK\n--- said\nHTTP/1.1 500\r\n");
    }

    #[test]
    fn a_folder_goes_with_its_files() {
        let folder = Folder::new().unwrap();
        let file = folder.file("a", "b").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "b");
        drop(folder);
        assert!(!Path::new(&file).exists());
    }
}
