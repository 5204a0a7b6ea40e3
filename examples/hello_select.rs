//! The note's event loop: tasks are generators that yield what they wait for.
//!
//! Run it:     cargo run -p examples --bin hello_select -- 127.0.0.1:5001
//! Try this:   connect twice with `nc 127.0.0.1 5001` and type in both windows.

use std::collections::{HashMap, VecDeque};
use std::io::{self, Read, Write};
use std::{cell::RefCell, net::TcpListener, pin::Pin, process::ExitCode, rc::Rc};

use generator::{Gen, Resumable, Step};
use poll::{Backend, Events, Interest, Selector};
use socket2::Socket;

type Task = Pin<Box<dyn Resumable<Yield = (&'static str, Rc<Socket>), Return = io::Result<()>>>>;
type Tasks = Rc<RefCell<VecDeque<Task>>>; // the queue

fn server(address: String, tasks: Tasks) -> Task {
    Box::pin(Gen::new(async move |co| {
        let listener = TcpListener::bind(address)?; // socket, SO_REUSEADDR, bind and listen
        println!("Listening on {}", listener.local_addr()?);
        let server_socket = Rc::new(Socket::from(listener));

        loop {
            co.yield_(("read", server_socket.clone())).await;
            let (client_socket, addr) = server_socket.accept()?; // ready, so it does not wait
            let addr = addr.as_socket().ok_or(io::ErrorKind::InvalidInput)?;
            println!("Connection from {addr}");
            tasks.borrow_mut().push_back(client(client_socket.into()));
        }
    }))
}

fn client(client_socket: Rc<Socket>) -> Task {
    Box::pin(Gen::new(async move |co| {
        loop {
            co.yield_(("read", client_socket.clone())).await;
            if (&*client_socket).read(&mut [0; 4096])? == 0 {
                return Ok(()); // dropped here, the socket closes
            }
            co.yield_(("write", client_socket.clone())).await;
            (&*client_socket).write_all(b"Hello world\n")?;
        }
    }))
}

fn event_loop(tasks: &Tasks) -> io::Result<()> {
    let (mut to_read, mut to_write) = (HashMap::new(), HashMap::new()); // who waits for what
    let (mut sockets, mut events) = (Selector::with_backend(Backend::Select)?, Events::new());
    while !(tasks.borrow().is_empty() && to_read.is_empty() && to_write.is_empty()) {
        while tasks.borrow().is_empty() {
            sockets.select(&mut events, None)?;
            for ready in &events {
                sockets.unregister(ready.key)?;
                tasks.borrow_mut().extend(to_read.remove(&ready.key));
                tasks.borrow_mut().extend(to_write.remove(&ready.key));
            }
        }
        let next = tasks.borrow_mut().pop_front();
        let Some(mut task) = next else { continue };
        match task.as_mut().resume(()) {
            Step::Yielded(("read", sock)) => {
                to_read.insert(sockets.register(sock, Interest::READ, ())?, task);
            }
            Step::Yielded((_, sock)) => {
                to_write.insert(sockets.register(sock, Interest::WRITE, ())?, task);
            }
            Step::Complete(Ok(())) => println!("Done"),
            Step::Complete(Err(error)) => eprintln!("Failed: {error}"), // this client's trouble
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:5001".into());
    let tasks = Tasks::default();
    tasks.borrow_mut().push_back(server(address, tasks.clone()));
    event_loop(&tasks).unwrap_or_else(|error| eprintln!("Failed: {error}"));
    ExitCode::FAILURE // a server ends only by failing
}
