//! Why a broker did not start, or could not go on.

use core::fmt;
use std::io;

use crate::config::{PropertiesError, SettingErrors};
use crate::runtime::StartError;

/// Why a broker did not start, or could not go on.
#[derive(Debug)]
pub enum ServeError {
    /// The file of settings cannot be read.
    File(String, io::Error),
    /// The file of settings is not one.
    Properties(PropertiesError),
    /// Settings are wrong.
    Settings(SettingErrors),
    /// What was asked for is not possible, and what to do about it.
    Request(String),
    /// Signals cannot be waited for.
    Signals(io::Error),
    /// The broker itself.
    Broker(StartError),
    /// It stands in the log.
    Logged,
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, error) => write!(f, "--config {path}: {error}"),
            Self::Properties(error) => write!(f, "{error}"),
            Self::Settings(errors) => write!(f, "{errors}"),
            Self::Request(what) => f.write_str(what),
            Self::Signals(error) => write!(f, "signals cannot be waited for: {error}"),
            Self::Broker(error) => write!(f, "{error}"),
            Self::Logged => f.write_str("the log says why"),
        }
    }
}

impl core::error::Error for ServeError {}

impl From<PropertiesError> for ServeError {
    fn from(error: PropertiesError) -> Self {
        Self::Properties(error)
    }
}

impl From<SettingErrors> for ServeError {
    fn from(errors: SettingErrors) -> Self {
        Self::Settings(errors)
    }
}

impl From<StartError> for ServeError {
    fn from(error: StartError) -> Self {
        Self::Broker(error)
    }
}

impl From<ServeError> for crate::cli::CliError {
    fn from(error: ServeError) -> Self {
        match error {
            ServeError::Logged => Self::Logged,
            error => Self::Message(error.to_string()),
        }
    }
}
