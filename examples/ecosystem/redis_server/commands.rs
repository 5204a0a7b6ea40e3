//! The commands: https://redis.io/docs/latest/commands/.

#[cfg(test)]
mod tests;

use std::time::Instant;

use crate::about;
use crate::answer::Answer;
use crate::store::{Entry, Store};
use crate::strings;

/// What becomes of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    Stay,
    Leave,
}

const COMMANDS: [&str; 9] =
    ["CONFIG", "DEL", "ECHO", "EXISTS", "GET", "INCR", "PING", "SELECT", "SET"];

/// Does what a request says, and answers it.
pub(crate) fn run(words: &[&[u8]], store: &mut Store, answer: &mut Answer) -> Then {
    let [name, arguments @ ..] = words else { return Then::Stay };
    let name = name.escape_ascii().to_string().to_ascii_uppercase();
    if let Err(error) = dispatch(&name, arguments, store, net::now(), answer) {
        answer.error(&error);
    }
    if name == "QUIT" { Then::Leave } else { Then::Stay }
}

fn dispatch(
    name: &str,
    arguments: &[&[u8]],
    store: &mut Store,
    now: Instant,
    answer: &mut Answer,
) -> Result<(), String> {
    match (name, arguments) {
        ("PING", []) => answer.simple("PONG"),
        ("PING" | "ECHO", [text]) => answer.bulk(text),
        ("GET", [key]) => match store.get(key, now) {
            Some(entry) => answer.bulk(&entry.value),
            None => answer.nil(),
        },
        ("SET", [key, value, options @ ..]) => {
            let entry = Entry { value: value.to_vec(), expires: strings::expiry(options, now)? };
            store.insert(key, entry, now)?;
            answer.simple("OK");
        }
        ("INCR", [key]) => answer.integer(strings::increment(key, store, now)?),
        ("DEL", keys @ [_, ..]) => {
            answer.count(keys.iter().filter(|key| store.remove(key, now)).count());
        }
        ("EXISTS", keys @ [_, ..]) => {
            answer.count(keys.iter().filter(|key| store.get(key, now).is_some()).count());
        }
        // There is one database.
        ("SELECT", [b"0"]) | ("QUIT", _) => answer.simple("OK"),
        // Clients ask these for help texts and for what a benchmark should know; an empty list says
        // that there is nothing of the kind.
        ("COMMAND", _) => answer.array(0),
        ("CONFIG", [action, name]) if action.eq_ignore_ascii_case(b"get") => {
            about::setting(name, answer);
        }
        ("INFO", _) => answer.bulk(about::info(store).as_bytes()),
        _ if COMMANDS.contains(&name) => {
            return Err(format!("ERR wrong arguments for '{}' command", name.to_lowercase()));
        }
        _ => return Err(format!("ERR unknown command '{name}'")),
    }
    Ok(())
}
