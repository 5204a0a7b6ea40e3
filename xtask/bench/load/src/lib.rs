//! A load generator that checks every answer, and reads the server's processor time.
//!
//! It is one thread with an edge-triggered epoll: a send and a recv for each request, and a wait
//! for as many answers as there are. Where it cannot say that all went well, it says what did not.

mod arguments;
mod clocks;
mod connection;
mod crowd;
mod dialogue;
mod hold;
mod measure;
mod sources;

pub use arguments::{Command, parse};
pub use dialogue::Scenario;
pub use hold::hold;
pub use measure::{Length, Plan, Slices, measure};

/// What went wrong, for whoever runs the program to read.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
