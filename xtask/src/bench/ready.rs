//! How each kind of peer is built or found.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::peers::{Kind, Participant, Peer, Service};
use super::programs::{find, folder, inside, locked, told};
use crate::cargo::{cargo, executables};
use crate::report::{Failure, output};
use crate::tool::{PYTHON, Tool};
use crate::tree;

/// Where the servers are that are not Rust.
const SCRIPTS: &str = "xtask/bench/servers";

/// The peer, or the reason why it cannot take part here.
pub(crate) fn prepared(peer: &'static Peer, built: &[PathBuf]) -> Result<Participant, String> {
    let found = match peer.kind {
        Kind::Ours => ours(peer),
        Kind::Rust { program, over } => {
            find(built, program).map(|path| each(peer, &[path.into()], over.and_then(locked)))
        }
        Kind::Optional { program, over } => return optional(peer, program, over),
        Kind::Python { script, module } => return python(peer, script, module),
        Kind::C { source, library } => return c(peer, source, library),
        Kind::Go { source } => return go(peer, source),
        Kind::Nginx => return nginx(peer),
    };
    found.map_err(|failure| failure.to_string())
}

/// A participant whose services are all in one program, which takes their names.
fn each(peer: &'static Peer, line: &[OsString], version: Option<String>) -> Participant {
    let with = |service: &Service| {
        let mut line = line.to_vec();
        line.insert(line.len().min(placed(peer)), service.word().into());
        (*service, line)
    };
    Participant { peer, lines: peer.services.iter().map(with).collect(), version }
}

/// Where the service stands in a line: after the program, and after its script.
fn placed(peer: &Peer) -> usize {
    if matches!(peer.kind, Kind::Python { .. }) { 2 } else { 1 }
}

/// The programs that users have.
pub(crate) fn ours(peer: &'static Peer) -> Result<Participant, Failure> {
    let bins = ["--bin", "hello", "--bin", "echo", "--quiet"];
    let mut build = cargo(&["build", "--release", "--package", "net"]);
    build.args(bins);
    let built = executables(build)?;
    let line = |name: &str, options: &[&str]| -> Result<Vec<OsString>, Failure> {
        let program = find(&built, name)?;
        let options = ["--quiet", "--addr", "127.0.0.1:0"].iter().chain(options);
        Ok([program.into()].into_iter().chain(options.map(OsString::from)).collect())
    };
    let lines = vec![
        (Service::Hello, line("hello", &[])?),
        (Service::Echo, line("echo", &[])?),
        (Service::Http, line("hello", &["--http"])?),
    ];
    Ok(Participant { peer, lines, version: None })
}

fn optional(peer: &'static Peer, program: &str, over: &str) -> Result<Participant, String> {
    let build = ["build", "--release", "--quiet", "--package", "servers", "--features", over];
    let built = executables(inside(build.into_iter().chain(["--bin", program])));
    let path = built.and_then(|built| find(&built, program)).map_err(|failure| {
        let failure = failure.to_string();
        let error = failure.lines().find(|line| line.starts_with("error"));
        format!("it does not build: {}", error.unwrap_or(&failure))
    })?;
    Ok(each(peer, &[path.into()], locked(over)))
}

fn python(
    peer: &'static Peer,
    script: &str,
    module: Option<&'static str>,
) -> Result<Participant, String> {
    if let Some(reason) = Tool::Python.missing() {
        return Err(reason);
    }
    // The program itself, and not a script before it that chooses among several.
    let version = "'python3 ' + sys.version.split()[0]";
    let question = match module {
        None => format!("import sys; print(sys.executable); print({version})"),
        Some(module) => format!(
            "import sys, {module}; print(sys.executable); \
             print({version} + ', {module} ' + {module}.__version__)"
        ),
    };
    let said = told(PYTHON, &["-c", &question])
        .ok_or_else(|| format!("{PYTHON} has no module {}", module.unwrap_or("sys")))?;
    let (program, version) =
        said.trim().split_once('\n').ok_or("python3 does not say where it is")?;
    let mut line = vec![program.into(), tree::root().join(SCRIPTS).join(script).into()];
    line.extend(module.map(|module| OsString::from(format!("--{module}"))));
    Ok(each(peer, &line, Some(version.to_owned())))
}

fn c(peer: &'static Peer, source: &str, library: &str) -> Result<Participant, String> {
    let version = told("pkg-config", &["--modversion", library])
        .ok_or_else(|| format!("pkg-config knows no {library}"))?;
    let flags = told("pkg-config", &["--cflags", "--libs", library]).unwrap_or_default();
    let program = target(peer)?;
    let mut compile = Command::new("cc");
    compile.arg("-O2").arg("-o").arg(&program).arg(tree::root().join(SCRIPTS).join(source));
    output_of(compile.args(flags.split_whitespace()))?;
    Ok(each(peer, &[program.into()], Some(format!("{library} {}", version.trim()))))
}

fn go(peer: &'static Peer, source: &str) -> Result<Participant, String> {
    let version = told("go", &["version"]).ok_or("go is not installed")?;
    let program = target(peer)?;
    let mut build = Command::new("go");
    build.args(["build", "-o"]).arg(&program).arg(tree::root().join(SCRIPTS).join(source));
    output_of(&mut build)?;
    let version = version.trim().trim_start_matches("go version ").to_owned();
    Ok(each(peer, &[program.into()], Some(version)))
}

fn nginx(peer: &'static Peer) -> Result<Participant, String> {
    if let Some(reason) = Tool::Nginx.missing() {
        return Err(reason);
    }
    let version = told("nginx", &["-v"])
        .map(|said| said.trim().trim_start_matches("nginx version: ").to_owned());
    Ok(Participant { peer, lines: vec![(Service::Http, vec!["nginx".into()])], version })
}

/// Where a program is put that cargo does not build.
fn target(peer: &Peer) -> Result<PathBuf, String> {
    let folder = folder();
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(folder.join(format!("peer-{}", peer.name)))
}

/// What a compiler's failure begins with; all of it would be many lines.
fn output_of(command: &mut Command) -> Result<(), String> {
    let mut owned = Command::new(command.get_program());
    owned.args(command.get_args());
    output(owned).map(drop).map_err(|failure| {
        let text = failure.to_string();
        let error = text.lines().find(|line| line.contains("error"));
        format!("it does not build: {}", error.unwrap_or(&text))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::peers::PEERS;

    #[test]
    fn a_service_stands_before_options_and_after_a_script() {
        let peer = |name: &str| PEERS.iter().find(|peer| peer.name == name).unwrap();
        let line = |name: &str, words: &[&str]| {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            format!("{:?}", each(peer(name), &words, None).command(Service::Echo, 1).unwrap())
        };
        assert_eq!(line("raw", &["peer-raw"]), r#""peer-raw" "echo""#);
        let expected = r#""python3" "server.py" "echo" "--uvloop""#;
        assert_eq!(line("uvloop", &["python3", "server.py", "--uvloop"]), expected);
    }

    #[test]
    fn threads_are_an_option_at_the_end() {
        let line = vec![(Service::Hello, vec!["peer".into(), "hello".into()])];
        let participant = Participant { peer: &PEERS[1], lines: line, version: None };
        let command = participant.command(Service::Hello, 2).unwrap();
        assert_eq!(format!("{command:?}"), r#""peer" "hello" "--threads" "2""#);
        assert!(participant.serves(Service::Hello) && !participant.serves(Service::Http));
        assert!(participant.command(Service::Http, 1).is_none());
    }
}
