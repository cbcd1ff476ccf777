//! Files of properties: as Java reads them, with the lines that people look for.

use std::collections::BTreeMap;

use millstream::config::Properties;

use crate::facts::rows;

const FILES: &str = include_str!("kafka-4.3.1/property-files.tsv");

/// Undoes the escapes of the file of facts. Java lets halves of pairs stand alone.
fn unescaped(text: &str) -> Option<String> {
    let mut units = Vec::new();
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        match rest.strip_prefix("\\u") {
            Some(digits) => {
                units.push(u16::from_str_radix(&digits[..4], 16).unwrap());
                rest = &digits[4..];
            }
            None => {
                units.push(character as u16);
                rest = &rest[1..];
            }
        }
    }
    String::from_utf16(&units).ok()
}

#[test]
fn texts_mean_what_they_mean_to_java() {
    for row in rows(FILES) {
        let text = unescaped(row[0]).unwrap();
        let ours = Properties::parse("file", &text);
        let pairs = row[1..].chunks_exact(2);
        let expected: Option<BTreeMap<String, String>> =
            pairs.map(|pair| Some((unescaped(pair[0])?, unescaped(pair[1])?))).collect();
        let Some(expected) = expected.filter(|_| row[1] != "malformed") else {
            assert!(ours.is_err(), "{text:?}");
            continue;
        };
        let ours = ours.unwrap_or_else(|error| panic!("{text:?}: {error}"));
        let counting = ours.counting();
        let found: BTreeMap<String, String> =
            counting.map(|property| (property.name.clone(), property.value.clone())).collect();
        assert_eq!(found, expected, "{text:?}");
    }
}

#[test]
fn lines_are_those_that_an_editor_shows() {
    let text = "# one\r\na = 1 \\\r\n   and 2\r\n\r\n!\nb:3\n\\u0063 4\nd\na=5\n";
    let file = Properties::parse("file", text).unwrap();
    let found: Vec<_> = file
        .counting()
        .map(|property| (property.line, property.name.as_str(), property.value.as_str()))
        .collect();
    assert_eq!(found, [(6, "b", "3"), (7, "c", "4"), (8, "d", ""), (9, "a", "5")]);
    let duplicates: Vec<_> = file
        .duplicates()
        .map(|(property, counts)| (property.line, property.value.as_str(), counts))
        .collect();
    assert_eq!(duplicates, [(2, "1 and 2", 9)]);
}

#[test]
fn what_cannot_be_read_is_named_with_its_line() {
    let error = |text: &str| Properties::parse("server.properties", text).unwrap_err().to_string();
    assert_eq!(
        error("a=1\nb=\\u12g4\n"),
        r"server.properties:2: \u without four hexadecimal digits behind it"
    );
    assert_eq!(error("\\ud83d=1"), r"server.properties:1: \ud83d is one half of a pair");
    assert_eq!(error("a=\\ud83d\\u0041"), r"server.properties:1: \ud83d is one half of a pair");
    let long = "a=1\n".repeat(1 << 19);
    assert_eq!(error(&long), "server.properties:1: longer than 1 MiB");
    let bytes = Properties::parse_bytes("server.properties", b"a=1\nb=\xff\n").unwrap_err();
    assert_eq!(bytes.to_string(), "server.properties:2: not UTF-8");
    assert!(Properties::parse_bytes("server.properties", "a=\u{e9}".as_bytes()).is_ok());
}
