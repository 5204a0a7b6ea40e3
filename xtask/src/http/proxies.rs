//! nginx and HAProxy in front of hello. They listen on a socket in a folder, so that they need no port.

use std::fs::{self, File};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::curl::curl;
use super::{Folder, says};
use crate::report::Failure;
use crate::server::Server;

/// How long a proxy may take to listen.
const PATIENCE: Duration = Duration::from_secs(30);

/// Requests one after the other.
const REQUESTS: usize = 200;

/// Connections that a proxy may make for them: it keeps them, and makes some for itself.
const CONNECTIONS: usize = 20;

/// With HTTP/1.1 and kept connections to hello; below `/old/` with HTTP/1.0 and without.
const NGINX: &str = "\
daemon off;
master_process off;
pid FOLDER/pid;
error_log stderr warn;
events { worker_connections 256; }
http {
  access_log off;
  client_body_temp_path FOLDER/body;
  proxy_temp_path FOLDER/proxy;
  fastcgi_temp_path FOLDER/fastcgi;
  uwsgi_temp_path FOLDER/uwsgi;
  scgi_temp_path FOLDER/scgi;
  upstream hello { server ADDRESS; keepalive 8; }
  server {
    listen unix:FOLDER/socket;
    client_max_body_size 8m;
    location / {
      proxy_pass http://hello;
      proxy_http_version 1.1;
      proxy_set_header Connection \"\";
      proxy_request_buffering off;
    }
    location /old/ { proxy_pass http://hello; }
  }
}
";

/// It asks hello by itself whether it is well, and answers 503 once it is not: with time enough for a
/// machine that is busy.
const HAPROXY: &str = "\
defaults
  mode http
  timeout connect 10s
  timeout client 30s
  timeout server 30s
frontend front
  bind FOLDER/socket
  default_backend back
backend back
  option httpchk
  timeout check 10s
  http-reuse always
  server hello ADDRESS check inter 50ms
";

pub(super) fn nginx(server: &mut Server, folder: &Folder) -> Result<(), Failure> {
    let config = configuration(server, folder, NGINX)?;
    let mut command = Command::new("nginx");
    command.args(["-e", "stderr", "-c", &config, "-p"]).arg(folder.path(""));
    let mut proxy = Proxy::start(command, folder)?;
    proxy.tried(|_| ask(server, folder))?;
    proxy.tried(|_| in_turn(folder, "old/"))
}

pub(super) fn haproxy(server: &mut Server, folder: &Folder) -> Result<(), Failure> {
    let config = configuration(server, folder, HAPROXY)?;
    let mut command = Command::new("haproxy");
    command.args(["-db", "-q", "-f", &config]);
    Proxy::start(command, folder)?.tried(|_| ask(server, folder))
}

/// The path of a configuration with its blanks filled in.
fn configuration(server: &Server, folder: &Folder, text: &str) -> Result<String, Failure> {
    let text = text.replace("FOLDER/", &folder.path("").display().to_string());
    folder.file("configuration", &text.replace("ADDRESS", &server.address().to_string()))
}

/// Asks through the proxy.
fn ask(server: &mut Server, folder: &Folder) -> Result<(), Failure> {
    in_turn(folder, "")?;
    let made = connections(server)?;
    if made > CONNECTIONS {
        return Err(format!("{made} connections for {REQUESTS} requests").into());
    }
    let body = format!("@{}", folder.file("upload", &"x".repeat(300_000))?);
    let chunked = "Transfer-Encoding: chunked";
    for (arguments, answer) in [
        (&["--head"][..], "\r\n200, 1 new\n"),
        (&["--http1.0"], "Hello world\n200, 1 new\n"),
        (&["--data-binary", &body], "Hello world\n200, 1 new\n"),
        (&["--data-binary", &body, "--header", chunked], "Hello world\n200, 1 new\n"),
        (&["--request", "DELETE"], "405, 1 new\n"),
    ] {
        says(&through(folder, arguments, "")?, answer)?;
    }
    Ok(())
}

/// Asks many times, one after the other; each is answered.
fn in_turn(folder: &Folder, path: &str) -> Result<(), Failure> {
    let said = through(folder, &[], &format!("{path}[1-{REQUESTS}]"))?;
    let answered = said.matches("Hello world\n200, ").count();
    if answered == REQUESTS { Ok(()) } else { Err(said.into()) }
}

/// What curl says about the answers that come through the proxy.
fn through(folder: &Folder, arguments: &[&str], path: &str) -> Result<String, Failure> {
    let socket = folder.path("socket").display().to_string();
    let url = format!("http://hello/{path}");
    curl(&[arguments, &["--unix-socket", &socket, &url]].concat())
}

/// How many connections the server has had before this one, which it names last.
fn connections(server: &mut Server) -> Result<usize, Failure> {
    let mark = TcpStream::connect(server.address())?;
    let last = format!("Connection from {}", mark.local_addr()?);
    let mut count = 0;
    while server.line()? != last {
        count += 1;
    }
    Ok(count)
}

/// A proxy at work. Dropped, its process is ended.
struct Proxy<'a> {
    child: Child,
    folder: &'a Folder,
}

impl Proxy<'_> {
    /// Starts it, and waits until it takes connections.
    fn start(mut command: Command, folder: &Folder) -> Result<Proxy<'_>, Failure> {
        let log = File::create(folder.path("log"))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().map_err(|error| format!("{command:?}: {error}"))?;
        let mut proxy = Proxy { child, folder };
        proxy.tried(Proxy::wait)?;
        Ok(proxy)
    }

    /// Waits until it answers.
    fn wait(&mut self) -> Result<(), Failure> {
        let start = Instant::now();
        while let Err(failure) = through(self.folder, &[], "") {
            if self.child.try_wait()?.is_some() || start.elapsed() > PATIENCE {
                return Err(failure);
            }
            sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// A failure comes with what the proxy said about it.
    fn tried(
        &mut self,
        trial: impl FnOnce(&mut Self) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        trial(self).map_err(|failure| {
            let said = read(&self.folder.path("log"));
            format!("{failure}\n--- the proxy said\n{said}").into()
        })
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| error.to_string())
}

impl Drop for Proxy<'_> {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
