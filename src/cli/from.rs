//! Places in a topic, as people name them.

use core::str::FromStr;

use super::timestamp;
use crate::types::{Offset, Timestamp};

/// A place in every partition of a topic.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum From {
    Beginning,
    End,
    Offset(Offset),
    Time(Timestamp),
}

impl FromStr for From {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || {
            "write beginning, end, an offset, a time such as 2026-01-31T12:00:00Z, or @ and \
             milliseconds"
                .to_owned()
        };
        let offset = |text: &str| text.parse::<i64>().ok().filter(|number| *number >= 0);
        match text {
            "beginning" => Ok(Self::Beginning),
            "end" => Ok(Self::End),
            _ => {
                if let Some(millis) = text.strip_prefix('@') {
                    let millis = offset(millis).ok_or_else(unknown)?;
                    return Ok(Self::Time(Timestamp::new(millis)));
                }
                let number = offset(text).map(|number| Self::Offset(Offset::new(number)));
                let time = || timestamp::parse(text).map(Self::Time);
                number.or_else(time).ok_or_else(unknown)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_offsets_from_times() {
        for (text, expected) in [
            ("beginning", From::Beginning),
            ("end", From::End),
            ("17", From::Offset(Offset::new(17))),
            ("@17", From::Time(Timestamp::new(17))),
            ("1970-01-01T00:00:01Z", From::Time(Timestamp::new(1000))),
        ] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        for bad in ["", "-1", "@", "@x", "start", "1970-01-01T00:00:01"] {
            assert!(bad.parse::<From>().is_err(), "{bad}");
        }
    }
}
