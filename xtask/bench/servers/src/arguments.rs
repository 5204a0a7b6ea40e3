//! What the command line says.

use lexopt::prelude::*;

use crate::Failure;

/// What is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// `Hello world` and a newline for each read.
    Hello,
    /// What was read.
    Echo,
    /// `Hello world` and a newline for each request of HTTP/1.1.
    Http,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arguments {
    pub service: Service,
    pub threads: usize,
}

impl Arguments {
    /// Reads `SERVICE [--threads N]`.
    ///
    /// # Errors
    ///
    /// An argument that is unknown or missing, and no thread at all.
    pub fn parse(mut parser: lexopt::Parser) -> Result<Arguments, Failure> {
        let (mut service, mut threads) = (None, 1);
        while let Some(argument) = parser.next()? {
            match argument {
                Value(name) if service.is_none() => service = Some(named(&name.string()?)?),
                Long("threads") => threads = parser.value()?.parse()?,
                _ => return Err(argument.unexpected().into()),
            }
        }
        match (service, threads) {
            (None, _) => Err("expected what to serve: hello, echo or http".into()),
            (Some(_), 0) => Err("at least one thread is needed".into()),
            (Some(service), threads) => Ok(Arguments { service, threads }),
        }
    }
}

fn named(name: &str) -> Result<Service, Failure> {
    match name {
        "hello" => Ok(Service::Hello),
        "echo" => Ok(Service::Echo),
        "http" => Ok(Service::Http),
        _ => Err(format!("no service {name}").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Arguments, Failure> {
        Arguments::parse(lexopt::Parser::from_args(line.split_whitespace()))
    }

    #[test]
    fn one_thread_serves_unless_told_otherwise() {
        let one = Arguments { service: Service::Echo, threads: 1 };
        assert_eq!(parsed("echo").unwrap(), one);
        assert_eq!(parsed("echo --threads 3").unwrap(), Arguments { threads: 3, ..one });
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in ["", "shout", "hello echo", "hello --threads 0", "hello --loud"] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }
}
