//! What can go wrong between here and a broker, with what to do about it.

use core::fmt;
use std::io;

use crate::protocol::{ApiKey, DecodeError, EncodeError, ErrorCode};

/// Why something asked of a cluster was not done.
#[derive(Debug)]
pub enum ClientError {
    /// No connection could be made.
    Unreachable {
        /// Host and port.
        address: String,
        /// The system's reason.
        error: io::Error,
    },
    /// A connection ended, or was silent for too long.
    Disconnected {
        /// Host and port.
        address: String,
        /// The system's reason.
        error: io::Error,
    },
    /// The other side does not speak Kafka's protocol.
    Malformed {
        /// Host and port.
        address: String,
        /// What is wrong with its bytes.
        reason: String,
    },
    /// The broker offers no version of an API that is known here.
    Unsupported {
        /// Host and port.
        address: String,
        /// What was to be asked.
        api: ApiKey,
    },
    /// The broker answered with an error.
    Refused {
        /// What was asked for.
        what: String,
        /// The code, none for one that is not known here.
        code: Option<ErrorCode>,
        /// The code's number, or the broker's own words.
        detail: String,
    },
    /// It did not happen in time; the last thing that went wrong.
    TimedOut {
        /// How long it was tried, in seconds.
        seconds: u64,
        /// The last failure.
        last: Box<ClientError>,
    },
    /// What was asked for makes no sense.
    Invalid(String),
}

impl ClientError {
    /// The failure that an error code of a response means.
    pub fn refused(what: impl Into<String>, code: i16, detail: Option<&str>) -> Self {
        let detail = detail.map_or_else(|| code.to_string(), str::to_owned);
        Self::Refused { what: what.into(), code: ErrorCode::from_code(code), detail }
    }

    /// The error code, if the broker answered with one.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Refused { code, .. } => *code,
            Self::TimedOut { last, .. } => last.code(),
            _ => None,
        }
    }

    /// Whether the same may succeed later, perhaps at another broker.
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Disconnected { .. } => true,
            Self::Refused { code, .. } => code.is_some_and(ErrorCode::is_retriable),
            _ => false,
        }
    }

    pub(super) fn undecodable(address: &str, api: ApiKey, error: DecodeError) -> Self {
        Self::Malformed { address: address.to_owned(), reason: format!("{api} response: {error}") }
    }
}

impl From<EncodeError> for ClientError {
    fn from(error: EncodeError) -> Self {
        Self::Invalid(format!("the request cannot be sent: {error}"))
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { address, error }
                if error.kind() == io::ErrorKind::ConnectionRefused =>
            {
                write!(
                    f,
                    "nothing listens on {address}: is a broker running? Start one with \
                     `millstream serve`, or name another with --bootstrap HOST:PORT"
                )
            }
            Self::Unreachable { address, error } => {
                write!(f, "{address} cannot be reached: {}", reason(error))
            }
            Self::Disconnected { address, error } => {
                write!(f, "the connection to {address} ended: {}", reason(error))
            }
            Self::Malformed { address, reason } => {
                write!(f, "{address} does not answer as a Kafka broker does: {reason}")
            }
            Self::Unsupported { address, api } => {
                write!(f, "the broker at {address} has no version of {api} that is known here")
            }
            Self::Refused { what, code, detail } => match code {
                Some(code) if detail.parse() == Ok(code.code()) => {
                    write!(f, "{what}: {} ({code})", code.meaning().trim_end_matches('.'))
                }
                Some(code) => write!(f, "{what}: {} ({code})", detail.trim_end_matches('.')),
                None => write!(f, "{what}: the broker answered error {detail}"),
            },
            Self::TimedOut { seconds, last } => {
                write!(f, "given up after {seconds} s without success: {last}")
            }
            Self::Invalid(reason) => f.write_str(reason),
        }
    }
}

impl core::error::Error for ClientError {}

/// The system's words, which for a time-out are about something else.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "no answer in time".to_owned(),
        io::ErrorKind::UnexpectedEof => "the other side closed it".to_owned(),
        _ => error.to_string(),
    }
}
