//! Which names topics may have.

use core::fmt;

/// The longest name: with a partition's number behind it, a directory's name stays below 255 bytes.
pub(super) const NAME_BYTES_MAX: usize = 249;

/// Why a name is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InvalidTopicName {
    /// It is empty.
    Empty,
    /// It is `.` or `..`.
    Dots,
    /// It is longer than 249 bytes.
    TooLong,
    /// It has other characters than letters, digits, `.`, `_` and `-`.
    Character(char),
}

impl fmt::Display for InvalidTopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the topic name is empty"),
            Self::Dots => f.write_str("a topic cannot be named '.' or '..'"),
            Self::TooLong => {
                write!(f, "the topic name is longer than {NAME_BYTES_MAX} characters")
            }
            Self::Character(character) => write!(
                f,
                "the topic name is illegal: it contains {character:?}; allowed are ASCII letters \
                 and digits, '.', '_' and '-'"
            ),
        }
    }
}

/// Checks a topic's name.
///
/// # Errors
/// Why it cannot be one.
pub fn validate_topic_name(name: &str) -> Result<(), InvalidTopicName> {
    if name.is_empty() {
        return Err(InvalidTopicName::Empty);
    }
    if name == "." || name == ".." {
        return Err(InvalidTopicName::Dots);
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(InvalidTopicName::TooLong);
    }
    let legal = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    match name.chars().find(|letter| !legal(*letter)) {
        Some(letter) => Err(InvalidTopicName::Character(letter)),
        None => Ok(()),
    }
}

/// What a topic is called in metrics, where `.` and `_` are one; of two topics with the same Kafka
/// refuses the second.
pub fn name_in_metrics(name: &str) -> String {
    name.replace('.', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_digits_and_three_signs_make_names() {
        for name in ["a", "A.b_c-9", "...", &"x".repeat(249)] {
            assert_eq!(validate_topic_name(name), Ok(()), "{name}");
        }
        for name in ["", ".", "..", "a/b", "a b", "ü", &"x".repeat(250)] {
            assert!(validate_topic_name(name).is_err(), "{name}");
        }
        assert_eq!(name_in_metrics("a.b"), name_in_metrics("a_b"));
        assert_ne!(name_in_metrics("a.b"), name_in_metrics("a-b"));
    }
}
