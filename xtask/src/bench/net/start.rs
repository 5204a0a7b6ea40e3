//! Servers as they are started for one turn.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::contest::Contestant;
use crate::bench::peers::{Kind, Service};
use crate::http::Folder;
use crate::processors;
use crate::report::Failure;
use crate::server::Server;

/// A server at work. Dropped, it is ended.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) server: Server,
    /// What it was told, if that is a file; it goes after the server.
    _folder: Option<Folder>,
}

/// One worker, which answers as `hello --http` does.
const NGINX: &str = "\
daemon off;
master_process off;
pid FOLDER/pid;
error_log stderr crit;
events { worker_connections 1024; }
http {
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path FOLDER/body;
  proxy_temp_path FOLDER/proxy;
  fastcgi_temp_path FOLDER/fastcgi;
  uwsgi_temp_path FOLDER/uwsgi;
  scgi_temp_path FOLDER/scgi;
  server {
    listen ADDRESS;
    location / {
      default_type text/plain;
      return 200 \"Hello world\\n\";
    }
  }
}
";

/// How long nginx may take to listen, which it does not say.
const PATIENCE: Duration = Duration::from_secs(10);

/// Starts the server on these processors.
pub(super) fn start(
    contestant: &Contestant<'_>,
    service: Service,
    processors: &[usize],
) -> Result<Running, Failure> {
    let command = contestant.participant.command(service, contestant.threads);
    let command = command.ok_or("it has no such service")?;
    if contestant.participant.peer.kind == Kind::Nginx {
        return nginx(&command, processors);
    }
    let server = Server::start(processors::on(processors, &command))?;
    Ok(Running { server, _folder: None })
}

/// nginx takes no free port by itself, and prints nothing.
fn nginx(command: &Command, processors: &[usize]) -> Result<Running, Failure> {
    let address = free()?;
    let folder = Folder::new()?;
    let path = folder.path("").display().to_string();
    let text = NGINX.replace("FOLDER/", &path).replace("ADDRESS", &address.to_string());
    let configuration = folder.file("configuration", &text)?;
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"echo "Listening on $0" && exec "$@""#, &address.to_string()]);
    shell.arg(command.get_program()).args(["-e", "stderr", "-p", &path, "-c", &configuration]);
    let mut server = Server::start(processors::on(processors, &shell))?;
    let start = Instant::now();
    while TcpStream::connect(address).is_err() {
        if start.elapsed() > PATIENCE {
            return Err(format!("nginx does not listen:\n{}", server.errors()).into());
        }
        sleep(Duration::from_millis(2));
    }
    Ok(Running { server, _folder: Some(folder) })
}

/// An address that nobody listens on; somebody may, between this and its use.
fn free() -> Result<SocketAddr, Failure> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
