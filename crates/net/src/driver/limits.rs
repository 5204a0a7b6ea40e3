//! How many descriptors the process may have.

use std::io;

/// Raises the number of descriptors that this process may open to the most that it is allowed
/// (getrlimit(2), RLIMIT_NOFILE), and returns it; `None` where there is no such limit.
///
/// Each connection takes one. The programs of this crate do this at their start; a library does
/// not do it by itself, because the limit is the whole process's.
///
/// # Errors
///
/// Those of setrlimit(2).
pub fn raise_descriptor_limit() -> io::Result<Option<u64>> {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit, setrlimit};
        let mut limit = getrlimit(Resource::Nofile);
        if limit.current != limit.maximum {
            limit.current = limit.maximum;
            setrlimit(Resource::Nofile, limit)?;
        }
        Ok(limit.current)
    }
    #[cfg(not(unix))]
    Ok(None)
}
