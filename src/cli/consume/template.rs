//! Output in the user's own form.

use crate::cli::timestamp;
use crate::record::Record;

#[derive(Clone, PartialEq, Eq, Debug)]
enum Piece {
    Text(Vec<u8>),
    Key,
    Value,
    Partition,
    Offset,
    Millis,
    Time,
    Headers,
}

/// Text with places for the parts of a record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Template(Vec<Piece>);

impl Template {
    /// Reads a template whose escapes are already resolved.
    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut bytes = text.iter();
        let mut plain = Vec::new();
        while let Some(byte) = bytes.next() {
            if *byte != b'%' {
                plain.push(*byte);
                continue;
            }
            let piece = match bytes.next() {
                Some(b'%') => {
                    plain.push(b'%');
                    continue;
                }
                Some(b'k') => Piece::Key,
                Some(b'v') => Piece::Value,
                Some(b'p') => Piece::Partition,
                Some(b'o') => Piece::Offset,
                Some(b't') => Piece::Millis,
                Some(b'T') => Piece::Time,
                Some(b'h') => Piece::Headers,
                Some(_) | None => return Err("behind % one of k v p o t T h % is known".into()),
            };
            pieces.push(Piece::Text(std::mem::take(&mut plain)));
            pieces.push(piece);
        }
        pieces.push(Piece::Text(plain));
        Ok(Self(pieces))
    }

    /// Appends a record.
    pub(super) fn write(&self, partition: i32, record: &Record<'_>, out: &mut Vec<u8>) {
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text),
                Piece::Key => out.extend_from_slice(record.key.unwrap_or_default()),
                Piece::Value => out.extend_from_slice(record.value.unwrap_or_default()),
                Piece::Partition => out.extend_from_slice(partition.to_string().as_bytes()),
                Piece::Offset => out.extend_from_slice(record.offset.to_string().as_bytes()),
                Piece::Millis => out.extend_from_slice(record.timestamp.to_string().as_bytes()),
                Piece::Time => {
                    out.extend_from_slice(timestamp::format(record.timestamp).as_bytes());
                }
                Piece::Headers => write_headers(record, out),
            }
        }
    }
}

fn write_headers(record: &Record<'_>, out: &mut Vec<u8>) {
    for (at, header) in record.headers.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.extend_from_slice(header.key);
        out.push(b'=');
        out.extend_from_slice(header.value.unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Headers;
    use crate::types::{Offset, Timestamp};

    #[test]
    fn places_are_filled() {
        let record = Record {
            offset: Offset::new(5),
            timestamp: Timestamp::new(1000),
            key: Some(b"k"),
            value: Some(b"v"),
            headers: Headers::default(),
        };
        let template = Template::parse(b"%p/%o %k=%v %t %T [%h] 100%%\n").unwrap();
        let mut out = Vec::new();
        template.write(3, &record, &mut out);
        assert_eq!(out, b"3/5 k=v 1000 1970-01-01T00:00:01.000Z [] 100%\n");
        assert!(Template::parse(b"%q").is_err());
        assert!(Template::parse(b"%").is_err());
    }
}
