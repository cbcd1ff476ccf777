//! Java's format of property files, in which brokers of Kafka are configured.
//!
//! The text is UTF-8, where Java takes it for Latin-1: files in ASCII mean the same to both.

use core::fmt;
use core::str::Chars;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::error::Place;

/// The longest text that is read. Kafka's own files have a few kilobytes.
const BYTES_MAX: usize = 1 << 20;

/// One property.
#[derive(Clone, PartialEq, Eq)]
pub struct Property {
    /// Its name.
    pub name: String,
    /// Its value, with the white space behind it.
    pub value: String,
    /// The line it begins on, from 1.
    pub line: u32,
}

/// Without the value, which may be a password.
impl fmt::Debug for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.name)
    }
}

/// A file of properties, in its order, with repeated names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Properties {
    file: Arc<str>,
    properties: Vec<Property>,
}

/// Why a text is no file of properties.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PropertiesError {
    /// The file's name.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: u32,
    /// What is wrong.
    pub problem: String,
}

impl fmt::Display for PropertiesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.problem)
    }
}

impl core::error::Error for PropertiesError {}

impl Properties {
    /// Reads the text of a file. Its name is for messages.
    ///
    /// # Errors
    /// When the text is longer than 1 MiB or holds a `\u` that is not followed by four hexadecimal
    /// digits or that is half of a pair.
    pub fn parse(file: &str, text: &str) -> Result<Self, PropertiesError> {
        let file: Arc<str> = file.into();
        let failed = |line, problem: &str| PropertiesError {
            file: Arc::clone(&file),
            line,
            problem: problem.to_owned(),
        };
        if text.len() > BYTES_MAX {
            return Err(failed(1, "longer than 1 MiB"));
        }
        let mut properties = Vec::new();
        for (line, text) in logical_lines(text) {
            let (name, value) = split(&text);
            let name = unescape(name).map_err(|problem| failed(line, &problem))?;
            let value = unescape(value).map_err(|problem| failed(line, &problem))?;
            properties.push(Property { name, value, line });
        }
        Ok(Self { file, properties })
    }

    /// Reads the bytes of a file.
    ///
    /// # Errors
    /// As [`Properties::parse`], and when the bytes are not UTF-8.
    pub fn parse_bytes(file: &str, bytes: &[u8]) -> Result<Self, PropertiesError> {
        let text = core::str::from_utf8(bytes).map_err(|error| {
            let before = &bytes[..error.valid_up_to()];
            let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
            let line = u32::try_from(line).unwrap_or(u32::MAX);
            PropertiesError { file: file.into(), line, problem: "not UTF-8".to_owned() }
        })?;
        Self::parse(file, text)
    }

    /// The properties that count, in the file's order: the last of each name.
    pub fn counting(&self) -> impl Iterator<Item = &Property> {
        self.with_successors().filter(|(_, later)| later.is_none()).map(|(property, _)| property)
    }

    /// The properties that do not count, each with the line that does.
    pub fn duplicates(&self) -> impl Iterator<Item = (&Property, u32)> {
        self.with_successors().filter_map(|(property, later)| Some((property, later?)))
    }

    /// The place of a line of this file.
    pub fn place(&self, line: u32) -> Place {
        Place::File { file: Arc::clone(&self.file), line }
    }

    /// Each property with the line of the last one of the same name, if that is another.
    fn with_successors(&self) -> impl Iterator<Item = (&Property, Option<u32>)> {
        let last: BTreeMap<&str, u32> = self
            .properties
            .iter()
            .map(|property| (property.name.as_str(), property.line))
            .collect();
        self.properties.iter().map(move |property| {
            let line = last[property.name.as_str()];
            (property, (line != property.line).then_some(line))
        })
    }
}

fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\x0c')
}

/// The lines that hold properties, each with its number, with continuations joined and escapes as
/// they stand.
fn logical_lines(text: &str) -> impl Iterator<Item = (u32, String)> {
    let mut lines = natural_lines(text).zip(1..).peekable();
    core::iter::from_fn(move || {
        'logical: loop {
            let (line, number) = lines.next()?;
            let line = line.trim_start_matches(is_blank);
            if line.is_empty() || line.starts_with(['#', '!']) {
                continue;
            }
            let mut joined = line.to_owned();
            while ends_in_escape(&joined) {
                joined.pop();
                // Java starts over behind a line that holds nothing but the escape.
                if joined.is_empty() && lines.peek().is_some() {
                    continue 'logical;
                }
                let Some((line, _)) = lines.next() else { break };
                joined.push_str(line.trim_start_matches(is_blank));
            }
            return Some((number, joined));
        }
    })
}

/// The lines of a text that end in any of the ways that Java knows.
fn natural_lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    core::iter::from_fn(move || {
        let text = rest?;
        let Some(end) = text.find(['\n', '\r']) else {
            rest = None;
            return Some(text);
        };
        let terminator = if text[end..].starts_with("\r\n") { 2 } else { 1 };
        rest = Some(&text[end + terminator..]);
        Some(&text[..end])
    })
}

fn ends_in_escape(line: &str) -> bool {
    line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// The name and the value of a line, without the separator between them.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let is_end = |(_, character): &(usize, char)| {
        let ends = !escaped && (matches!(character, '=' | ':') || is_blank(*character));
        escaped = *character == '\\' && !escaped;
        ends
    };
    let end = line.char_indices().find(is_end).map_or(line.len(), |(index, _)| index);
    let (name, rest) = line.split_at(end);
    let rest = rest.trim_start_matches(is_blank);
    let value = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (name, value.trim_start_matches(is_blank))
}

/// Replaces escapes by what they stand for.
fn unescape(text: &str) -> Result<String, String> {
    let mut result = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            result.push(character);
            continue;
        }
        result.push(match characters.next() {
            Some('t') => '\t',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('f') => '\x0c',
            Some('u') => unicode(&mut characters)?,
            Some(other) => other,
            None => break,
        });
    }
    Ok(result)
}

/// The character behind `\u`; those outside of the first plane take a second `\u`.
fn unicode(characters: &mut Chars<'_>) -> Result<char, String> {
    let first = unit(characters)?;
    let is_high_half = (0xd800..0xdc00).contains(&first);
    let character = if is_high_half && characters.as_str().starts_with("\\u") {
        characters.nth(1);
        let second = unit(characters)?;
        char::decode_utf16([first, second]).next().and_then(Result::ok)
    } else {
        char::from_u32(first.into())
    };
    character.ok_or_else(|| format!("\\u{first:04x} is one half of a pair"))
}

fn unit(characters: &mut Chars<'_>) -> Result<u16, String> {
    let digits: String = characters.by_ref().take(4).collect();
    let complete = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    complete
        .then(|| u16::from_str_radix(&digits, 16).ok())
        .flatten()
        .ok_or_else(|| "\\u without four hexadecimal digits behind it".to_owned())
}
