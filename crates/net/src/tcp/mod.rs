//! TCP sockets.

mod listener;
mod options;
mod split;
mod stream;

pub use listener::TcpListener;
pub use split::{ReadHalf, ReuniteError, WriteHalf};
pub use stream::TcpStream;
