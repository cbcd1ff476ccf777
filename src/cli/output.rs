//! What commands print.

use std::io::{self, IsTerminal as _, Write as _};

use super::CliError;
use super::json::Json;

/// Prints to standard output.
pub(super) fn print(text: impl AsRef<[u8]>) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_ref()).and_then(|()| out.flush());
    written.map_err(|error| CliError::output(&error))
}

/// Prints JSON on a line.
pub(super) fn print_json(json: &Json) -> Result<(), CliError> {
    let mut line = Vec::new();
    json.write(&mut line);
    line.push(b'\n');
    print(line)
}

/// Prints objects alike as a table for people, or as JSON. When there are none, people are told so
/// by `none`.
pub(super) fn print_rows(rows: Vec<Json>, json: bool, none: &str) -> Result<(), CliError> {
    if json {
        return print_json(&Json::List(rows));
    }
    if rows.is_empty() {
        eprintln!("{none}");
        return Ok(());
    }
    print(Json::List(rows).table().expect("rows with the same fields"))
}

/// Tells people how far long work is, on one line that changes; silent where nobody looks.
#[derive(Debug)]
pub(super) struct Progress {
    shown: bool,
    is_terminal: bool,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self { shown: false, is_terminal: io::stderr().is_terminal() }
    }

    /// `done` of `all` pieces of work are done.
    pub(super) fn show(&mut self, what: &str, done: usize, all: usize) {
        if self.is_terminal && all > 1 {
            self.shown = true;
            eprint!("\r\x1b[K{what} {done}/{all}");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            eprint!("\r\x1b[K");
        }
    }
}
