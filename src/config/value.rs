//! Values: from text as Kafka reads it, and back to the text that Kafka shows.

use core::fmt;

use super::definition::{Allowed, Definition, Kind};
use super::iso_duration;

/// A value of a setting.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// Of a [`Kind::Boolean`].
    Boolean(bool),
    /// Of a [`Kind::Short`], [`Kind::Int`] or [`Kind::Long`].
    Whole(i64),
    /// Of a [`Kind::Double`].
    Number(f64),
    /// Of a [`Kind::Text`], [`Kind::Class`] or [`Kind::Password`].
    Text(String),
    /// Of a [`Kind::List`].
    List(Vec<String>),
}

impl Value {
    /// Reads the value of a setting.
    ///
    /// # Errors
    /// What was expected instead, in words.
    pub fn parse(definition: &Definition, text: &str) -> Result<Self, String> {
        let trimmed = java_trim(text);
        let value = match definition.kind {
            Kind::Boolean => parse_boolean(trimmed).map(Self::Boolean),
            Kind::Short | Kind::Int | Kind::Long => {
                parse_whole(definition.kind, trimmed).map(Self::Whole)
            }
            Kind::Double => parse_number(trimmed).map(Self::Number),
            Kind::Text | Kind::Class => Some(Self::Text(trimmed.to_owned())),
            Kind::Password => Some(Self::Text(text.to_owned())),
            Kind::List => Some(Self::List(parse_list(trimmed, definition.allowed.is_set()))),
        };
        value
            .filter(|value| value.is_allowed(definition.allowed))
            .ok_or_else(|| expected(definition, trimmed))
    }

    fn is_allowed(&self, allowed: Allowed) -> bool {
        match self {
            Self::Boolean(_) => true,
            Self::Whole(number) => match allowed {
                Allowed::Whole { from, to } => (from..=to).contains(number),
                Allowed::WholeOr { from, to, or } => (from..=to).contains(number) || *number == or,
                _ => true,
            },
            Self::Number(number) => match allowed {
                Allowed::Number { from, to } => (from..=to).contains(number),
                _ => true,
            },
            Self::Text(text) => match allowed {
                Allowed::OneOf(texts) => texts.contains(&text.as_str()),
                Allowed::OneOfAnyCase(texts) => {
                    texts.iter().any(|known| known.eq_ignore_ascii_case(text))
                }
                Allowed::NotEmpty => !text.is_empty(),
                Allowed::OffsetReset => is_offset_reset(text),
                _ => true,
            },
            Self::List(items) => items_are_allowed(items, allowed),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Whole(value) => write!(f, "{value}"),
            Self::Number(value) => f.write_str(&java_number(*value)),
            Self::Text(value) => f.write_str(value),
            Self::List(items) => f.write_str(&items.join(",")),
        }
    }
}

fn items_are_allowed(items: &[String], allowed: Allowed) -> bool {
    let known = |texts: &[&str]| items.iter().all(|item| texts.contains(&item.as_str()));
    match allowed {
        Allowed::Items => !items.is_empty() && items.iter().all(|item| !item.is_empty()),
        Allowed::ItemsOrNone => items.iter().all(|item| !item.is_empty()),
        Allowed::SomeOf(texts) => !items.is_empty() && known(texts),
        Allowed::SomeOfOrNone(texts) => known(texts),
        Allowed::ThrottledReplicas => {
            matches!(items, [all] if all == "*") || items.iter().all(|item| is_replica(item))
        }
        _ => true,
    }
}

/// `partition:broker`; Kafka lets an item be empty.
fn is_replica(item: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    item.is_empty()
        || item.split_once(':').is_some_and(|(left, right)| digits(left) && digits(right))
}

fn is_offset_reset(text: &str) -> bool {
    let duration = text.strip_prefix("by_duration:");
    matches!(text, "earliest" | "latest") || duration.and_then(iso_duration::parse).is_some()
}

/// What Java takes for white space around a value.
fn java_trim(text: &str) -> &str {
    text.trim_matches(|character| character <= ' ')
}

fn parse_boolean(text: &str) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

fn parse_whole(kind: Kind, text: &str) -> Option<i64> {
    let number = text.parse().ok()?;
    let (from, to) = kind.whole_range()?;
    (from..=to).contains(&number).then_some(number)
}

/// A decimal number as Java writes it, with its suffixes for types. Java's hexadecimal numbers are
/// refused, as are infinite ones and NaN, which Kafka takes in places where they do harm.
fn parse_number(text: &str) -> Option<f64> {
    let digits = text.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(text);
    let ends_in_letter = |text: &str| text.ends_with(|last: char| last.is_ascii_alphabetic());
    if ends_in_letter(digits) {
        return None;
    }
    digits.parse().ok().filter(|number: &f64| number.is_finite())
}

fn parse_list(text: &str, is_set: bool) -> Vec<String> {
    if text.is_empty() {
        return Vec::new();
    }
    let mut items = Vec::<String>::new();
    for item in text.split(',').map(java_trim) {
        // An empty item stays, however often it comes, to be refused.
        if !is_set || item.is_empty() || !items.iter().any(|seen| seen == item) {
            items.push(item.to_owned());
        }
    }
    items
}

/// What a value should have been, in words. The kind's own bounds are named only to those who
/// crossed them.
fn expected(definition: &Definition, text: &str) -> String {
    match definition.allowed {
        Allowed::Whole { .. } | Allowed::WholeOr { .. } => expected_whole(definition, text),
        Allowed::Number { from, to } => format!("expected a number from {from} to {to}"),
        Allowed::OneOf(texts) | Allowed::OneOfAnyCase(texts) => {
            format!("expected {}", alternatives(texts))
        }
        Allowed::Items => "expected one or more items with commas between them".to_owned(),
        Allowed::ItemsOrNone => "expected items with commas between them, none empty".to_owned(),
        Allowed::SomeOf(texts) => format!("expected one or more of {}", texts.join(", ")),
        Allowed::SomeOfOrNone(texts) => format!("expected any of {}", texts.join(", ")),
        Allowed::NotEmpty => "expected a text that is not empty".to_owned(),
        Allowed::ThrottledReplicas => {
            "expected * or items such as 0:1, a partition and a broker".to_owned()
        }
        Allowed::OffsetReset => {
            "expected earliest, latest, or by_duration: with a duration such as PT1H".to_owned()
        }
        Allowed::Any => match definition.kind {
            Kind::Boolean => "expected true or false".to_owned(),
            Kind::Double => "expected a number".to_owned(),
            _ => expected_whole(definition, text),
        },
    }
}

fn expected_whole(definition: &Definition, text: &str) -> String {
    let crossed = text.parse::<i128>().is_ok();
    let (least, most) = definition.kind.whole_range().unwrap_or((i64::MIN, i64::MAX));
    let (from, to, or) = match definition.allowed {
        Allowed::Whole { from, to } => (from.max(least), to.min(most), None),
        Allowed::WholeOr { from, to, or } => (from, to, Some(or)),
        _ => (least, most, None),
    };
    let mut words = "expected a whole number".to_owned();
    if from != least || crossed {
        words.push_str(&format!(" from {from}"));
    }
    if to != most || crossed {
        words.push_str(&format!(" to {to}"));
    }
    if let Some(or) = or {
        words.push_str(&format!(", or {or}"));
    }
    words
}

fn alternatives(texts: &[&str]) -> String {
    match texts {
        [first, second] => format!("{first} or {second}"),
        _ => format!("one of {}", texts.join(", ")),
    }
}

/// How Java writes a number: with a fraction always, with an exponent outside of 0.001 to 10^7.
fn java_number(number: f64) -> String {
    let size = number.abs();
    if number == 0.0 || (1e-3..1e7).contains(&size) {
        return format!("{number:?}");
    }
    let scientific = format!("{number:e}");
    match scientific.split_once('e') {
        Some((digits, exponent)) if digits.contains('.') => format!("{digits}E{exponent}"),
        Some((digits, exponent)) => format!("{digits}.0E{exponent}"),
        None => scientific,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::definition::{CLEANUP_POLICIES, Effect};
    use crate::config::definition::{GZIP_LEVELS, between, from, inheriting};

    fn parsed(kind: Kind, allowed: Allowed, text: &str) -> Result<String, String> {
        let definition = inheriting("name", kind, None, allowed, &[], Effect::Effective, "");
        Value::parse(&definition, text).map(|value| value.to_string())
    }

    #[track_caller]
    fn reads(kind: Kind, allowed: Allowed, pairs: &[(&str, &str)]) {
        for (text, shown) in pairs {
            assert_eq!(parsed(kind, allowed, text).as_deref(), Ok(*shown), "{text}");
        }
    }

    #[track_caller]
    fn refuses(kind: Kind, allowed: Allowed, pairs: &[(&str, &str)]) {
        for (text, expected) in pairs {
            assert_eq!(parsed(kind, allowed, text), Err((*expected).to_owned()), "{text}");
        }
    }

    #[test]
    fn whole_numbers() {
        reads(Kind::Long, from(-1), &[("5", "5"), (" +5\t", "5"), ("-1", "-1")]);
        reads(Kind::Int, GZIP_LEVELS, &[("-1", "-1"), ("9", "9")]);
        let words = "expected a whole number from 1";
        let int = [("abc", words), ("", words), ("1.0", words), ("5L", words), ("1_0", words)];
        refuses(Kind::Int, from(1), &int);
        let crossed = "expected a whole number from 1 to 2147483647";
        refuses(Kind::Int, from(1), &[("0", crossed), ("2147483648", crossed)]);
        refuses(Kind::Short, Allowed::Any, &[("x", "expected a whole number")]);
        let crossed = "expected a whole number from -32768 to 32767";
        refuses(Kind::Short, Allowed::Any, &[("70000", crossed)]);
        let levels = "expected a whole number from 1 to 9, or -1";
        refuses(Kind::Int, GZIP_LEVELS, &[("0", levels), ("10", levels), ("best", levels)]);
        let small = "expected a whole number from 1 to 17";
        refuses(Kind::Int, between(1, 17), &[("18", small), ("fast", small)]);
    }

    #[test]
    fn numbers_are_shown_as_java_does() {
        let pairs = [
            (".5", "0.5"),
            ("5.", "5.0"),
            ("0.5d", "0.5"),
            ("1e-5", "1.0E-5"),
            ("0.001", "0.001"),
            ("9999999", "9999999.0"),
            ("10000000", "1.0E7"),
            ("2.147483647E9", "2.147483647E9"),
            ("1.7976931348623157E308", "1.7976931348623157E308"),
            ("-0.0", "-0.0"),
        ];
        reads(Kind::Double, Allowed::Any, &pairs);
        let ratio = Allowed::Number { from: 0.0, to: 1.0 };
        for text in ["1.5", "NaN", "inf", "Infinity", "0x1p-1", "half", "", "1e999", "infinityd"] {
            assert_eq!(
                parsed(Kind::Double, ratio, text),
                Err("expected a number from 0 to 1".to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn lists() {
        let pairs = [
            ("", ""),
            (" compact ,delete ", "compact,delete"),
            ("delete,delete", "delete"),
            ("compact", "compact"),
        ];
        reads(Kind::List, CLEANUP_POLICIES, &pairs);
        let words = "expected any of compact, delete";
        let wrong = [("Compact", words), ("compact,", words), (",", words)];
        refuses(Kind::List, CLEANUP_POLICIES, &wrong);
        let words = "expected one or more items with commas between them";
        refuses(Kind::List, Allowed::Items, &[("", words), ("a,,b", words), ("a,", words)]);
        let replicas = [("*", "*"), ("0:1, 1:2", "0:1,1:2"), ("", ""), ("0:1,", "0:1,")];
        reads(Kind::List, Allowed::ThrottledReplicas, &replicas);
        for text in ["none", "*,0:1", "0:-1", "0:", ":"] {
            assert!(parsed(Kind::List, Allowed::ThrottledReplicas, text).is_err(), "{text}");
        }
    }

    #[test]
    fn texts() {
        reads(Kind::Boolean, Allowed::Any, &[("TRUE", "true"), (" false", "false")]);
        refuses(Kind::Boolean, Allowed::Any, &[("yes", "expected true or false")]);
        reads(Kind::Password, Allowed::Any, &[(" x ", " x ")]);
        let two = Allowed::OneOf(&["disk", "memory"]);
        refuses(
            Kind::Text,
            two,
            &[("Disk", "expected disk or memory"), ("", "expected disk or memory")],
        );
        let three = Allowed::OneOfAnyCase(&["A", "B", "C"]);
        reads(Kind::Text, three, &[("b", "b")]);
        refuses(Kind::Text, three, &[("d", "expected one of A, B, C")]);
        let reset = Allowed::OffsetReset;
        reads(Kind::Text, reset, &[("latest", "latest"), ("by_duration:PT1H", "by_duration:PT1H")]);
        for text in ["LATEST", "none", "by_duration:", "by_duration:1h", "by_duration:-PT1H"] {
            assert!(parsed(Kind::Text, reset, text).is_err(), "{text}");
        }
    }
}
