//! Python's `select.select`, for three lists.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use crate::backend::select::Sets;
use crate::deadline::Deadline;
use crate::interest::Interest;
use crate::readiness::Readiness;

/// Waits until something in three lists is ready: to be read, to be written, or with priority
/// data. Returns the ready ones of each list, in order; all empty if the time was up.
///
/// This is the function of [Python's `select`](https://docs.python.org/3/library/select.html)
/// and of `select(2)`, without the limit of 1,024 descriptors. It takes time in proportion to the
/// largest descriptor; for many, or the same again and again, use a
/// [`Selector`](crate::Selector). The lists hold one type, which may be `dyn AsFd`.
///
/// Without a timeout it waits for ever, and a timeout of zero looks and returns at once. Any other
/// is kept as by [`Selector::select`](crate::Selector::select), interruptions and empty lists
/// included. Errors and hangups count as ready, as the next read or write does not block.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::io::Write;
/// use std::os::fd::AsFd;
///
/// let (reader, mut writer) = std::io::pipe()?;
/// writer.write_all(b"hello")?;
///
/// let (read, write, except) =
///     poll::select::<dyn AsFd>(&[&reader], &[&writer], &[], None)?;
/// assert_eq!((read.len(), write.len(), except.len()), (1, 1, 0));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// If the kernel fails, for want of memory.
#[allow(clippy::type_complexity, reason = "it is what Python's function returns")]
pub fn select<'a, T: AsFd + ?Sized>(
    rlist: &[&'a T],
    wlist: &[&'a T],
    xlist: &[&'a T],
    timeout: Option<Duration>,
) -> io::Result<(Vec<&'a T>, Vec<&'a T>, Vec<&'a T>)> {
    let mut sets = Sets::default();
    let mut deadline = Deadline::new(timeout);
    loop {
        let mut asked = sets.ask();
        for (list, interest) in
            [(rlist, Interest::READ), (wlist, Interest::WRITE), (xlist, Interest::PRIORITY)]
        {
            list.iter().for_each(|item| asked.insert(item.as_fd(), interest));
        }
        let found = match asked.wait(deadline.left()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => false,
            waited => waited?,
        };
        if found || deadline.is_over() {
            break;
        }
    }
    let ready = |list: &[&'a T], flag| {
        let is_ready = |item: &&T| sets.seen(item.as_fd().as_raw_fd()).contains(flag);
        list.iter().copied().filter(is_ready).collect()
    };
    Ok((
        ready(rlist, Readiness::READ),
        ready(wlist, Readiness::WRITE),
        ready(xlist, Readiness::PRIORITY),
    ))
}
