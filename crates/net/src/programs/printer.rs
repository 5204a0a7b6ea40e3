//! Lines for standard output and standard error, written where a full pipe stalls nobody.

use std::cell::{Cell, RefCell};
use std::io::Write;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

/// Lines that may wait to be written; further ones are dropped and counted.
const LINES: usize = 4096;

/// How long the end of the program waits for lines to be written.
const PATIENCE: Duration = Duration::from_millis(250);

/// Writes lines from a thread of its own. When nobody reads, lines are dropped, and the next one
/// that fits says how many; once the output is closed, all are.
#[derive(Debug)]
pub(super) struct Printer {
    lines: RefCell<Option<SyncSender<String>>>,
    dropped: Cell<usize>,
    done: Receiver<()>,
}

impl Printer {
    pub(super) fn start(output: impl Write + Send + 'static) -> Rc<Printer> {
        let (lines, to_write) = sync_channel(LINES);
        let (finished, done) = sync_channel(1);
        thread::spawn(move || {
            write_all(&to_write, output);
            // Nobody waits any more where the program has lost its patience.
            let _ = finished.send(());
        });
        Rc::new(Printer { lines: RefCell::new(Some(lines)), dropped: Cell::new(0), done })
    }

    pub(super) fn line(&self, line: String) {
        let lines = self.lines.borrow();
        let Some(lines) = &*lines else { return };
        if self.dropped.get() > 0 {
            let notice = format!("({} lines dropped: nobody reads them)", self.dropped.get());
            if lines.try_send(notice).is_err() {
                self.dropped.set(self.dropped.get() + 1);
                return;
            }
            self.dropped.set(0);
        }
        if lines.try_send(line).is_err() {
            self.dropped.set(1);
        }
    }

    /// Lets what is queued be written, for a moment.
    pub(super) fn finish(&self) {
        drop(self.lines.take());
        // A pipe that nobody reads is no reason not to end.
        let _ = self.done.recv_timeout(PATIENCE);
    }
}

/// Writes lines as they come, and all that wait at once, until there are no more or nobody can
/// read them.
fn write_all(lines: &Receiver<String>, mut output: impl Write) {
    let mut text = String::new();
    while let Ok(first) = lines.recv() {
        text.clear();
        for line in std::iter::once(first).chain(lines.try_iter().take(LINES)) {
            text.push_str(&line);
            text.push('\n');
        }
        if output.write_all(text.as_bytes()).and_then(|()| output.flush()).is_err() {
            return;
        }
    }
}
