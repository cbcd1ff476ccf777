//! What is wrong with a setting, in words for the person who wrote it.

use core::fmt;
use std::sync::Arc;

/// Longer values are cut where they are shown.
const SHOWN_CHARACTERS_MAX: usize = 80;
/// So are problems, which may name a part of a value.
const PROBLEM_CHARACTERS_MAX: usize = 1000;

/// Where a setting was given.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Place {
    /// In a file.
    File {
        /// The file's name as it was given.
        file: Arc<str>,
        /// The line, from 1.
        line: u32,
    },
    /// On the command line.
    CommandLine,
    /// In a request of a client.
    Request,
    /// Nowhere: it is a default.
    Default,
}

impl Place {
    /// How far from who reads an error the place is, that of a request being the nearest.
    pub(super) fn distance(&self) -> u8 {
        match self {
            Self::Request => 0,
            Self::CommandLine => 1,
            Self::File { .. } => 2,
            Self::Default => 3,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, line } => write!(f, "{file}:{line}: "),
            Self::CommandLine => f.write_str("--set "),
            Self::Request | Self::Default => Ok(()),
        }
    }
}

/// A setting that cannot be accepted. Kafka's code for it is INVALID_CONFIG.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SettingError {
    /// Where it was given.
    pub place: Place,
    /// Its name.
    pub name: String,
    /// Its value; none where the value does not matter or must not be shown.
    pub value: Option<String>,
    /// What is wrong, or what was expected instead.
    pub problem: String,
}

impl SettingError {
    pub(super) fn new(place: Place, name: &str, value: Option<&str>, problem: String) -> Self {
        let value = value.map(str::to_owned);
        Self { place, name: name.to_owned(), value, problem }
    }
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.place, shown(&self.name))?;
        if let Some(value) = &self.value {
            write!(f, "={}", shown(value))?;
        }
        write!(f, ": {}", shown_to(&self.problem, PROBLEM_CHARACTERS_MAX))
    }
}

impl core::error::Error for SettingError {}

/// Everything that is wrong with a broker's settings.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SettingErrors(pub Vec<SettingError>);

impl From<SettingError> for SettingErrors {
    fn from(error: SettingError) -> Self {
        Self(vec![error])
    }
}

impl fmt::Display for SettingErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{error}")?;
        }
        Ok(())
    }
}

impl core::error::Error for SettingErrors {}

/// Something to tell the person who started the broker, once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Notice {
    /// No setting has this name.
    Unknown {
        /// Where it was given.
        place: Place,
        /// The name.
        name: String,
        /// The name that was probably meant.
        nearest: Option<&'static str>,
    },
    /// The setting is accepted and does nothing.
    NoEffect {
        /// Where it was given.
        place: Place,
        /// The setting's name, or the part of its value that does nothing.
        what: String,
        /// Why it does nothing.
        reason: &'static str,
    },
    /// The setting is given again further down, and that counts.
    Duplicate {
        /// Where it was given first.
        place: Place,
        /// The setting's name.
        name: String,
        /// The line that counts.
        counts: u32,
    },
}

impl Notice {
    /// Where the setting was given.
    pub fn place(&self) -> &Place {
        match self {
            Self::Unknown { place, .. }
            | Self::NoEffect { place, .. }
            | Self::Duplicate { place, .. } => place,
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { place, name, nearest } => {
                write!(f, "{place}{}: {}", shown(name), unknown(*nearest))
            }
            Self::NoEffect { place, what, reason } => {
                write!(f, "{place}{}: accepted, no effect: {reason}", shown(what))
            }
            Self::Duplicate { place, name, counts } => {
                write!(f, "{place}{}: given again on line {counts}, which counts", shown(name))
            }
        }
    }
}

/// What to say of an unknown name.
pub(super) fn unknown(nearest: Option<&str>) -> String {
    match nearest {
        Some(nearest) => format!("unknown setting; did you mean {nearest}?"),
        None => "unknown setting".to_owned(),
    }
}

fn shown(text: &str) -> String {
    shown_to(text, SHOWN_CHARACTERS_MAX)
}

/// The text on one line and of bounded length, whatever is in it.
fn shown_to(text: &str, characters_max: usize) -> String {
    let mut shown = String::new();
    for (count, character) in text.chars().enumerate() {
        if count == characters_max {
            shown.push_str("...");
            break;
        }
        match character.is_control() {
            true => shown.extend(character.escape_default()),
            false => shown.push(character),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(line: u32) -> Place {
        Place::File { file: "server.properties".into(), line }
    }

    #[test]
    fn errors_say_where_what_and_why() {
        let problem = "expected a whole number from 1".to_owned();
        let error = SettingError::new(line(12), "num.partitions", Some("abc"), problem.clone());
        assert_eq!(
            error.to_string(),
            "server.properties:12: num.partitions=abc: expected a whole number from 1"
        );
        let typed = SettingError::new(Place::CommandLine, "cores", Some("a\nb"), problem.clone());
        assert_eq!(typed.to_string(), r"--set cores=a\nb: expected a whole number from 1");
        let sent = SettingError::new(Place::Request, "ssl.key.password", None, problem);
        assert_eq!(sent.to_string(), "ssl.key.password: expected a whole number from 1");
        let long = SettingError::new(line(1), "a", Some(&"x".repeat(1000)), String::new());
        assert!(long.to_string().len() < 150);
    }

    #[test]
    fn notices_say_what_to_do() {
        let name = "num.partition".to_owned();
        let notices = [
            Notice::Unknown { place: line(3), name: name.clone(), nearest: Some("num.partitions") },
            Notice::Unknown { place: Place::CommandLine, name: "x".to_owned(), nearest: None },
            Notice::NoEffect { place: line(4), what: "port".to_owned(), reason: "too old" },
            Notice::Duplicate { place: line(5), name, counts: 9 },
        ];
        let texts: Vec<String> = notices.iter().map(Notice::to_string).collect();
        assert_eq!(
            texts,
            [
                "server.properties:3: num.partition: unknown setting; did you mean num.partitions?",
                "--set x: unknown setting",
                "server.properties:4: port: accepted, no effect: too old",
                "server.properties:5: num.partition: given again on line 9, which counts",
            ]
        );
    }
}
