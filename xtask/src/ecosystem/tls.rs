//! The echo server that speaks TLS.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::process::{Process, said};
use super::{end, program, same};
use crate::client::Client;
use crate::report::{Failure, Report};
use crate::server::Server;
use crate::tool::Tool;

pub(super) fn run(report: &mut Report, programs: &[PathBuf]) {
    let folder = std::env::temp_dir().join(format!("xtask-ecosystem-{}", std::process::id()));
    let trial = report.value("tls_echo starts", || {
        fs::create_dir_all(&folder)?;
        Trial::start(programs, folder.join("certificate.pem"))
    });
    let Some(trial) = trial else { return };
    report.step("tls_echo and its own client", || trial.own_client());
    report.step("tls_echo and a client that trusts another", || trial.distrust());
    report.step("tls_echo and a client without TLS", || trial.plain());
    let name = "tls_echo and openssl s_client";
    if report.has(Tool::Openssl, name) {
        report.step(name, || trial.openssl());
    }
    end(report, "tls_echo", trial.server);
    report.step("tls_echo leaves one file", || Ok(fs::remove_dir_all(&folder)?));
}

struct Trial {
    programs: Vec<PathBuf>,
    certificate: PathBuf,
    server: Server,
}

impl Trial {
    fn start(programs: &[PathBuf], certificate: PathBuf) -> Result<Trial, Failure> {
        let server = Server::start(serve(programs, &certificate)?)?;
        Ok(Trial { programs: programs.to_vec(), certificate, server })
    }

    fn ask(&self, certificate: &PathBuf, text: &str) -> Result<String, Failure> {
        let mut command = program(&self.programs, "tls_echo")?;
        command.args(["ask", &self.server.address().to_string()]).arg(certificate).arg(text);
        said(command, "")
    }

    /// A short text, and one that takes several records.
    fn own_client(&self) -> Result<(), Failure> {
        let large = "large ".repeat(20_000);
        for text in ["hello there", &large] {
            same(&format!("{text}\n"), &self.ask(&self.certificate, text)?)?;
        }
        Ok(())
    }

    /// The certificate of another server is not this one's.
    fn distrust(&self) -> Result<(), Failure> {
        let other = self.certificate.with_extension("other");
        Server::start(serve(&self.programs, &other)?)?.terminate()?;
        match self.ask(&other, "hello") {
            Err(failure) if failure.to_string().contains("invalid peer certificate") => Ok(()),
            Err(failure) => Err(failure),
            Ok(said) => Err(format!("it was answered {said:?}").into()),
        }
    }

    /// It is refused, and nobody else suffers.
    fn plain(&self) -> Result<(), Failure> {
        let mut rude = Client::connect(self.server.address())?;
        rude.send(b"GET / HTTP/1.0\r\n\r\n")?;
        let answer = rude.finish()?;
        // An alert (21) of TLS (3), and nothing of what was sent.
        if !answer.starts_with(&[21, 3]) || answer.len() != 7 {
            return Err(format!("answered {answer:?}").into());
        }
        same("hello\n", &self.ask(&self.certificate, "hello")?)
    }

    /// A client that is nobody's here: it checks the certificate, and each line comes back.
    fn openssl(&self) -> Result<(), Failure> {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-quiet", "-no_ign_eof", "-verify_return_error"]);
        command.args(["-connect", &self.server.address().to_string()]);
        command.args(["-verify_ip", "127.0.0.1", "-CAfile"]).arg(&self.certificate);
        let mut client = Process::start(command)?;
        for word in ["one", "two"] {
            client.say(&format!("{word}\n"))?;
            let mut said = Vec::new();
            while said.last().is_none_or(|line| line != word) {
                said.push(client.line()?.ok_or_else(|| format!("it ends: {said:?}"))?);
            }
        }
        client.finish().map(drop)
    }
}

fn serve(programs: &[PathBuf], certificate: &PathBuf) -> Result<Command, Failure> {
    let mut command = program(programs, "tls_echo")?;
    command.args(["serve", "127.0.0.1:0"]).arg(certificate);
    Ok(command)
}
