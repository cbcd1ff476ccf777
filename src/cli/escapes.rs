//! Bytes as typed on a command line: `\n\n` means two line ends.

use core::str::FromStr;

/// Bytes between records, or between a key and a value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Separator(pub(super) Vec<u8>);

impl FromStr for Separator {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match unescape(text)? {
            bytes if bytes.is_empty() => Err("it is empty".to_owned()),
            bytes => Ok(Self(bytes)),
        }
    }
}

/// The bytes of a text in which `\n`, `\t`, `\r`, `\0`, `\\` and `\xHH` stand for others.
///
/// # Errors
/// A backslash is followed by something else.
pub(super) fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, escaped)) = rest.split_once('\\') {
        bytes.extend_from_slice(before.as_bytes());
        let unknown = || format!("`\\{escaped}` does not start with n, t, r, 0, \\ or xHH");
        let mut letters = escaped.chars();
        let byte = match letters.next() {
            Some('n') => b'\n',
            Some('t') => b'\t',
            Some('r') => b'\r',
            Some('0') => 0,
            Some('\\') => b'\\',
            Some('x') => {
                let digits = letters.as_str().get(..2).ok_or_else(unknown)?;
                letters = letters.as_str()[2..].chars();
                u8::from_str_radix(digits, 16).map_err(|_| unknown())?
            }
            _ => return Err(unknown()),
        };
        bytes.push(byte);
        rest = letters.as_str();
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_stand_for_bytes() {
        assert_eq!(unescape("a\\n\\n\\\\b\\x00\\xfFc\\t").unwrap(), b"a\n\n\\b\0\xffc\t");
        assert_eq!(unescape("\n").unwrap(), b"\n");
        for bad in ["\\", "a\\q", "\\x1", "\\xzz", "\\x\u{e9}"] {
            assert!(unescape(bad).is_err(), "{bad}");
        }
        assert!("".parse::<Separator>().is_err());
    }
}
