//! What the server says of itself.

use crate::answer::Answer;
use crate::store::{MAX_MEMORY, Store};

/// The setting, if it is one that there is: nothing is ever saved.
pub(crate) fn setting(name: &[u8], answer: &mut Answer) {
    let value = match name.to_ascii_lowercase().as_slice() {
        b"save" => String::new(),
        b"appendonly" => "no".into(),
        b"maxmemory" => MAX_MEMORY.to_string(),
        _ => return answer.array(0),
    };
    answer.array(2);
    answer.bulk(name);
    answer.bulk(value.as_bytes());
}

pub(crate) fn info(store: &Store) -> String {
    let (keys, used) = store.size();
    format!(
        "# Memory\r\nused_memory:{used}\r\nmaxmemory:{MAX_MEMORY}\r\n# Keyspace\r\ndb0:keys={keys}\r\n"
    )
}
