//! Why a command ended early.

use core::fmt;
use std::io;

use crate::client::ClientError;

/// Why a command ended early.
#[derive(Debug)]
pub enum CliError {
    /// Nobody reads the output any more, as behind `| head`: no reason to complain.
    OutputClosed,
    /// The user was told already.
    Logged,
    /// Anything that the user should read.
    Message(String),
}

impl CliError {
    /// A failure of reading or writing something.
    pub fn io(what: impl fmt::Display, error: &io::Error) -> Self {
        Self::Message(format!("{what}: {error}"))
    }

    /// A failure of writing to standard output.
    pub fn output(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::OutputClosed,
            _ => Self::io("standard output", error),
        }
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutputClosed => f.write_str("the output was closed"),
            Self::Logged => f.write_str("the log says why"),
            Self::Message(message) => f.write_str(message),
        }
    }
}

impl core::error::Error for CliError {}

impl From<ClientError> for CliError {
    fn from(error: ClientError) -> Self {
        Self::Message(error.to_string())
    }
}
