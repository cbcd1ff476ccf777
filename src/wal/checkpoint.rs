//! A checkpoint slot: what replay starts from. Two files are written in turn, so that one is whole
//! whenever the power goes (`schema/internal/checkpoint.fbs`).

use crate::formats::checkpoint::SlotHeader;
use crate::record::crc32c;

/// The names of the two slots within a WAL's directory.
pub const SLOT_NAMES: [&str; 2] = ["checkpoint-0", "checkpoint-1"];
/// A larger slot is refused: a hundred times what a hundred thousand partitions take.
pub(super) const SLOT_BYTES_MAX: u64 = 1 << 30;

const MAGIC: u64 = u64::from_le_bytes(*b"msCKPslt");
const VERSION: u32 = 1;
const CRC_BYTES: usize = 4;
const HEADER_BYTES: usize = size_of::<SlotHeader>();
/// Each record is preceded by its length.
const PREFIX_BYTES: usize = 4;

/// A slot that was read back whole.
#[derive(Clone, Debug)]
pub struct Slot {
    /// The higher of two counts.
    pub number: u64,
    /// Replay starts with this generation of the WAL's files.
    pub replay_generation: u64,
    bytes: Vec<u8>,
}

impl Slot {
    /// The records of the partitions, each a FlatBuffers `checkpoint.Partition`.
    pub fn records(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &self.bytes[HEADER_BYTES..];
        std::iter::from_fn(move || {
            let (length, behind) = rest.split_first_chunk::<PREFIX_BYTES>()?;
            let (record, behind) = behind.split_at_checked(u32::from_le_bytes(*length) as usize)?;
            rest = behind;
            Some(record)
        })
    }

    /// Whether the records are as many as the header says and reach to the last byte.
    fn is_framed(&self, partitions: u64) -> bool {
        let (mut count, mut bytes) = (0, HEADER_BYTES);
        for record in self.records() {
            count += 1;
            bytes += PREFIX_BYTES + record.len();
        }
        (count, bytes) == (partitions, self.bytes.len())
    }
}

/// Collects the records of a new slot.
#[derive(Debug)]
pub struct SlotWriter {
    bytes: Vec<u8>,
    partitions: u64,
}

impl Default for SlotWriter {
    fn default() -> Self {
        Self { bytes: vec![0; HEADER_BYTES], partitions: 0 }
    }
}

impl SlotWriter {
    /// Adds a partition's record.
    pub fn push(&mut self, record: &[u8]) {
        let length = u32::try_from(record.len()).expect("records stay below 4 GiB");
        self.bytes.extend_from_slice(&length.to_le_bytes());
        self.bytes.extend_from_slice(record);
        self.partitions += 1;
    }

    /// The content of the slot's file.
    pub fn finish(mut self, wal_id: u64, number: u64, replay_generation: u64) -> Vec<u8> {
        let behind = (self.bytes.len() - HEADER_BYTES) as u64;
        let partitions = self.partitions;
        let make = |crc| {
            SlotHeader::new(
                crc,
                VERSION,
                MAGIC,
                wal_id,
                number,
                replay_generation,
                partitions,
                behind,
            )
        };
        self.bytes[..HEADER_BYTES].copy_from_slice(&make(0).0);
        let crc = crc32c(&self.bytes[CRC_BYTES..]);
        self.bytes[..HEADER_BYTES].copy_from_slice(&make(crc).0);
        self.bytes
    }
}

/// The slot in a file, if it is whole.
pub(super) fn parse_slot(bytes: &[u8]) -> Option<Slot> {
    let header = SlotHeader(*bytes.first_chunk()?);
    let behind = (bytes.len() - HEADER_BYTES) as u64;
    let valid = header.magic() == MAGIC
        && header.version() == VERSION
        && header.bytes() == behind
        && header.crc() == crc32c(&bytes[CRC_BYTES..]);
    if !valid {
        return None;
    }
    let (number, replay_generation) = (header.number(), header.replay_generation());
    let slot = Slot { number, replay_generation, bytes: bytes.to_vec() };
    slot.is_framed(header.partitions()).then_some(slot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_read_back_and_any_flipped_byte_is_noticed() {
        let mut writer = SlotWriter::default();
        writer.push(b"one");
        writer.push(b"");
        writer.push(b"three");
        let bytes = writer.finish(5, 6, 7);
        let slot = parse_slot(&bytes).unwrap();
        assert_eq!((slot.number, slot.replay_generation), (6, 7));
        let records: Vec<_> = slot.records().collect();
        assert_eq!(records, [&b"one"[..], b"", b"three"]);
        for index in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[index] ^= 1;
            assert!(parse_slot(&damaged).is_none(), "byte {index}");
        }
        assert!(parse_slot(&bytes[..bytes.len() - 1]).is_none());
        assert!(parse_slot(&[]).is_none());
    }

    /// A slot whose CRC is right and whose lengths are not.
    #[test]
    fn records_that_reach_beyond_the_slot_make_it_no_slot() {
        let bytes = |lengths: &[u32], partitions| {
            let bytes = lengths.iter().flat_map(|length| length.to_le_bytes()).collect::<Vec<u8>>();
            let bytes = [vec![0; HEADER_BYTES], bytes].concat();
            SlotWriter { bytes, partitions }.finish(5, 6, 7)
        };
        assert!(parse_slot(&bytes(&[0, 0], 2)).is_some());
        assert!(parse_slot(&bytes(&[0, 0], 3)).is_none());
        for length in [1, 4, u32::MAX] {
            assert!(parse_slot(&bytes(&[0, length], 2)).is_none(), "{length}");
        }
        let mut cut = SlotWriter { bytes: vec![0; HEADER_BYTES + 3], partitions: 0 };
        cut.bytes[HEADER_BYTES] = 1;
        assert!(parse_slot(&cut.finish(5, 6, 7)).is_none());
    }
}
