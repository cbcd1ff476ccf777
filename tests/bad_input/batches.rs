//! Record batches byte by byte, so that each field can be wrong.

use millstream::record::crc32c;

/// Where the fields of a batch stand.
pub const LENGTH: usize = 8;
pub const MAGIC: usize = 16;
pub const CHECKSUM: usize = 17;
pub const ATTRIBUTES: usize = 21;
pub const LAST_OFFSET_DELTA: usize = 23;
pub const MAX_TIMESTAMP: usize = 35;
pub const PRODUCER_ID: usize = 43;
pub const PRODUCER_EPOCH: usize = 51;
pub const BASE_SEQUENCE: usize = 53;
pub const RECORD_COUNT: usize = 57;
pub const RECORDS: usize = 61;

/// A variable integer as records have them.
pub fn varint(value: i64) -> Vec<u8> {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    let mut bytes = Vec::new();
    while rest >= 0x80 {
        bytes.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
    bytes
}

/// One record with a null key.
pub fn record(offset_delta: i64, value: &[u8]) -> Vec<u8> {
    record_later(0, offset_delta, value)
}

/// One record with a null key, so many milliseconds after the batch's first.
pub fn record_later(timestamp_delta: i64, offset_delta: i64, value: &[u8]) -> Vec<u8> {
    let mut body = vec![0];
    body.extend(varint(timestamp_delta));
    body.extend(varint(offset_delta));
    body.extend(varint(-1));
    body.extend(varint(value.len() as i64));
    body.extend(value);
    body.extend(varint(0));
    [varint(body.len() as i64), body].concat()
}

/// A batch whose checksum is put right at the end.
#[derive(Clone, Debug)]
pub struct Plain {
    bytes: Vec<u8>,
}

impl Plain {
    /// A good batch of these values.
    pub fn of(values: &[&[u8]]) -> Self {
        let records: Vec<Vec<u8>> =
            (0..).zip(values).map(|(delta, value)| record(delta, value)).collect();
        Self::around(values.len() as i32, &records.concat())
    }

    /// A batch of these bytes of records.
    pub fn around(count: i32, records: &[u8]) -> Self {
        let mut bytes = vec![0; RECORDS];
        bytes.extend_from_slice(records);
        let timestamp = 1_700_000_000_000i64.to_be_bytes();
        let length = (bytes.len() - 12) as i32;
        Self { bytes }
            .with(LENGTH, &length.to_be_bytes())
            .with(12, &(-1i32).to_be_bytes())
            .with(MAGIC, &[2])
            .with(LAST_OFFSET_DELTA, &(count - 1).to_be_bytes())
            .with(27, &timestamp)
            .with(MAX_TIMESTAMP, &timestamp)
            .with(PRODUCER_ID, &(-1i64).to_be_bytes())
            .with(PRODUCER_EPOCH, &(-1i16).to_be_bytes())
            .with(BASE_SEQUENCE, &(-1i32).to_be_bytes())
            .with(RECORD_COUNT, &count.to_be_bytes())
    }

    /// With other bytes at a place.
    pub fn with(mut self, at: usize, field: &[u8]) -> Self {
        self.bytes[at..at + field.len()].copy_from_slice(field);
        self
    }

    /// With a codec's number in its attributes.
    pub fn compressed_by(self, codec: u8) -> Self {
        self.with(ATTRIBUTES, &[0, codec])
    }

    /// The bytes, with the checksum they should have.
    pub fn bytes(self) -> Vec<u8> {
        let checksum = crc32c(&self.bytes[ATTRIBUTES..]);
        self.with(CHECKSUM, &checksum.to_be_bytes()).bytes
    }

    /// The bytes with a wrong checksum.
    pub fn corrupt_bytes(self) -> Vec<u8> {
        let mut bytes = self.bytes();
        bytes[CHECKSUM] ^= 1;
        bytes
    }
}
