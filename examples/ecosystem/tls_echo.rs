//! An echo server that speaks TLS, with a certificate that it makes when it starts; and a client.
//!
//! Run it:     cargo run --bin tls_echo -- serve 127.0.0.1:8443 certificate.pem
//! Ask it:     cargo run --bin tls_echo -- ask 127.0.0.1:8443 certificate.pem hello
//! Try this:   openssl s_client -connect 127.0.0.1:8443 -CAfile certificate.pem

use std::{env, error::Error, fs, io, process::ExitCode, sync::Arc};

use futures_lite::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use futures_rustls::pki_types::pem::PemObject;
use futures_rustls::pki_types::{CertificateDer, PrivateKeyDer};
use futures_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use futures_rustls::{TlsAcceptor, TlsConnector};
use net::{EventLoop, Server, TcpStream};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Sends back what comes. It would do so over any stream; here the stream is encrypted.
async fn echo(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    let mut buffer = vec![0; 4096];
    loop {
        let size = stream.read(&mut buffer).await?;
        if size == 0 {
            return stream.close().await;
        }
        stream.write_all(&buffer[..size]).await?;
        stream.flush().await?; // what TLS has wrapped up must also leave
    }
}

async fn serve(address: &str, certificate: &str) -> Result<()> {
    let made = rcgen::generate_simple_self_signed(["localhost".into(), "127.0.0.1".into()])?;
    fs::write(certificate, made.cert.pem())?;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())?;
    let chain = vec![made.cert.der().clone()];
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?;
    let acceptor = TlsAcceptor::from(Arc::new(config));

    let server = Server::bind(address.parse()?)?;
    let stopper = server.stopper();
    ctrlc::set_handler(move || stopper.stop())?;
    println!("Listening on {}", server.local_addr()?);
    let handler = move |stream, _peer| {
        let accept = acceptor.accept(stream);
        async { echo(accept.await?).await }
    };
    server.serve(handler).await?;
    Ok(())
}

async fn ask(address: &str, certificate: &str, text: &str) -> Result<()> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate)?)?; // nobody else is trusted
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let stream = TcpStream::connect(address.parse()?).await?;
    let connector = TlsConnector::from(Arc::new(config));
    let mut stream = connector.connect("localhost".try_into()?, stream).await?;
    stream.write_all(text.as_bytes()).await?;
    stream.flush().await?;
    let mut answer = vec![0; text.len()];
    stream.read_exact(&mut answer).await?;
    stream.close().await?;
    println!("{}", String::from_utf8_lossy(&answer));
    Ok(())
}

async fn run(arguments: Vec<String>) -> Result<()> {
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", address, certificate] => serve(address, certificate).await,
        ["ask", address, certificate, text] => ask(address, certificate, text).await,
        _ => Err("use `serve ADDRESS CERTIFICATE` or `ask ADDRESS CERTIFICATE TEXT`".into()),
    }
}

fn main() -> ExitCode {
    let run = || EventLoop::new()?.run_until(run(env::args().skip(1).collect()))?;
    let Err(error) = run() else { return ExitCode::SUCCESS };
    eprintln!("Failed: {error}");
    ExitCode::FAILURE
}
