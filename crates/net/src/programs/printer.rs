//! Lines for standard output and standard error, written where a full pipe stalls nobody.

use std::io::Write;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Lines that may wait to be written; further ones are dropped and counted.
const LINES: usize = 4096;

/// How long the end of the program waits for lines to be written.
const PATIENCE: Duration = Duration::from_millis(250);

/// Writes lines from a thread of its own, for any thread. When nobody reads, lines are dropped, and the
/// next one that fits says how many; once the output is closed, all are.
#[derive(Debug)]
pub(super) struct Printer {
    state: Mutex<State>,
    done: Mutex<Receiver<()>>,
}

#[derive(Debug)]
struct State {
    /// None once it has finished.
    lines: Option<SyncSender<String>>,
    dropped: usize,
}

impl Printer {
    pub(super) fn start(output: impl Write + Send + 'static) -> Arc<Printer> {
        let (lines, to_write) = sync_channel(LINES);
        let (finished, done) = sync_channel(1);
        thread::spawn(move || {
            write_all(&to_write, output);
            // Nobody waits any more where the program has lost its patience.
            let _ = finished.send(());
        });
        let state = Mutex::new(State { lines: Some(lines), dropped: 0 });
        Arc::new(Printer { state, done: Mutex::new(done) })
    }

    pub(super) fn line(&self, line: String) {
        let mut state = self.lock();
        let State { lines: Some(lines), dropped } = &mut *state else { return };
        if *dropped > 0 {
            let notice = format!("({dropped} lines dropped: nobody reads them)");
            if lines.try_send(notice).is_err() {
                *dropped += 1;
                return;
            }
            *dropped = 0;
        }
        if lines.try_send(line).is_err() {
            *dropped = 1;
        }
    }

    /// Lets what is queued be written, for a moment.
    pub(super) fn finish(&self) {
        self.lock().lines = None;
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        // A pipe that nobody reads is no reason not to end.
        let _ = done.recv_timeout(PATIENCE);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
