//! The bytes of a WAL file: file header, commits, entries (`schema/internal/wal.fbs`).

use crate::formats::wal::{CommitHeader, EntryHeader, FileHeader};
use crate::io::BLOCK_BYTES;
use crate::record::{Crc32c, crc32c};
use crate::types::{
    Lsn, Offset, PartitionIndex, PartitionSequence, Position, TopicPartition, Uuid,
};

const FILE_MAGIC: u64 = u64::from_le_bytes(*b"msWALfil");
const COMMIT_MAGIC: u64 = u64::from_le_bytes(*b"msWALcmt");
const VERSION: u32 = 1;

/// Bytes in front of a commit's entries.
pub(crate) const COMMIT_HEADER_BYTES: usize = size_of::<CommitHeader>();
/// Bytes in front of an entry's payload.
pub(crate) const ENTRY_HEADER_BYTES: usize = size_of::<EntryHeader>();
/// Entries start at multiples of this.
const ENTRY_ALIGNMENT: usize = 8;
/// A record batch's header: the part of it that the entry's CRC covers, its own CRC field in it.
const BATCH_HEADER_BYTES: usize = 61;

/// Numbers that are read back stay below this by far: what is counted on from there cannot overflow,
/// even if someone made them up under a right CRC.
const NUMBERS_BELOW: u64 = 1 << 62;
/// No commit is longer: its bytes are one range of memory.
const COMMIT_BYTES_MAX: usize = 1 << 31;

/// Where the CRC ends in each header, and what it covers begins.
const CRC_BYTES: usize = 4;

/// What an entry says about its partition, or about the metadata.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum EntryKind {
    /// A record batch was appended at `position`.
    Append = 1,
    /// The bytes from `position` to the end of a block that is not full, logged again because the
    /// file that holds their first entry is about to be recycled or they were only in the segment.
    Carry = 2,
    /// The log was cut back to `position`.
    Truncate = 3,
    /// The log start offset moved; the payload is the offset.
    LogStart = 4,
    /// The partition was handed to another core; nothing of it follows in this WAL.
    Moved = 5,
    /// An entry of the metadata log; it belongs to no partition.
    Metadata = 6,
    /// How far an earlier life's WAL was believed; the payload is its id and the last number.
    /// Whatever turns up behind that later, from a write that was under way at a crash, is ignored.
    Fence = 7,
}

impl EntryKind {
    fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Append,
            2 => Self::Carry,
            3 => Self::Truncate,
            4 => Self::LogStart,
            5 => Self::Moved,
            6 => Self::Metadata,
            7 => Self::Fence,
            _ => return None,
        })
    }
}

/// An entry without its payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EntryMeta {
    /// What happened.
    pub kind: EntryKind,
    /// To which partition; all zero for metadata.
    pub partition: TopicPartition,
    /// The partition's sequence after the change.
    pub sequence: PartitionSequence,
    /// The segment that the change touches.
    pub segment_base_offset: Offset,
    /// The place in that segment.
    pub position: Position,
}

/// Which life of which file an entry stands in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct FileIdentity {
    pub(crate) wal_id: u64,
    pub(crate) generation: u64,
}

/// The bytes that an entry takes, with its header and up to the next entry.
pub(crate) const fn entry_bytes(payload_bytes: usize) -> usize {
    (ENTRY_HEADER_BYTES + payload_bytes).next_multiple_of(ENTRY_ALIGNMENT)
}

/// The first block of a file.
pub(crate) fn file_header(identity: FileIdentity, first_lsn: Lsn, file_bytes: u64) -> [u8; 48] {
    let FileIdentity { wal_id, generation } = identity;
    let lsn = first_lsn.get();
    let make = |crc| FileHeader::new(crc, VERSION, FILE_MAGIC, wal_id, generation, lsn, file_bytes);
    let unsigned = make(0);
    make(crc32c(&unsigned.0[CRC_BYTES..])).0
}

/// What a file's first block says, if it is whole and of our making.
pub(crate) fn parse_file_header(block: &[u8]) -> Option<(FileIdentity, Lsn)> {
    let header = FileHeader(*block.first_chunk()?);
    let valid = header.magic() == FILE_MAGIC
        && header.version() == VERSION
        && [header.generation(), header.first_lsn()].iter().all(|number| *number < NUMBERS_BELOW)
        && header.crc() == crc32c(&header.0[CRC_BYTES..]);
    let identity = FileIdentity { wal_id: header.wal_id(), generation: header.generation() };
    valid.then(|| (identity, Lsn::new(header.first_lsn())))
}

/// A commit's header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Commit {
    pub(crate) entries: u32,
    pub(crate) first_lsn: Lsn,
    pub(crate) durable_lsn: Lsn,
    /// Header and entries.
    pub(crate) bytes: usize,
}

impl Commit {
    pub(crate) fn encode(&self, identity: FileIdentity) -> [u8; COMMIT_HEADER_BYTES] {
        let make = |crc| {
            CommitHeader::new(
                crc,
                self.entries,
                COMMIT_MAGIC,
                identity.wal_id,
                identity.generation,
                self.first_lsn.get(),
                self.durable_lsn.get(),
                self.bytes as u64,
            )
        };
        let unsigned = make(0);
        make(crc32c(&unsigned.0[CRC_BYTES..])).0
    }

    /// The commit that starts at `block`, if one of this file's life does.
    pub(crate) fn parse(block: &[u8], identity: FileIdentity) -> Option<Self> {
        let header = CommitHeader(*block.first_chunk()?);
        let valid = header.magic() == COMMIT_MAGIC
            && header.wal_id() == identity.wal_id
            && header.generation() == identity.generation
            && header.crc() == crc32c(&header.0[CRC_BYTES..]);
        if !valid {
            return None;
        }
        let bytes = usize::try_from(header.bytes()).ok()?;
        if !(COMMIT_HEADER_BYTES..=COMMIT_BYTES_MAX).contains(&bytes) {
            return None;
        }
        Some(Self {
            entries: header.entries(),
            first_lsn: Lsn::new(header.first_lsn()),
            durable_lsn: Lsn::new(header.durable_lsn()),
            bytes,
        })
    }

    /// The blocks that the commit takes, in bytes.
    pub(crate) fn padded_bytes(&self) -> usize {
        self.bytes.next_multiple_of(BLOCK_BYTES)
    }
}

/// The header of an entry whose payload is `head` followed by `body`.
pub(crate) fn entry_header(
    meta: &EntryMeta,
    identity: FileIdentity,
    lsn: Lsn,
    head: &[u8],
    body: &[u8],
) -> [u8; ENTRY_HEADER_BYTES] {
    let covered = covered_bytes(meta.kind, head.len() + body.len());
    let length = u32::try_from(head.len() + body.len()).expect("payloads stay below 4 GiB");
    let (high, low) = meta.partition.topic.halves();
    let make = |crc| {
        EntryHeader::new(
            crc,
            length,
            identity.wal_id,
            identity.generation,
            lsn.get(),
            high,
            low,
            meta.partition.partition.get(),
            u32::try_from(covered).expect("below the payload's length"),
            meta.sequence.get(),
            meta.segment_base_offset.get(),
            meta.position.get(),
            meta.kind as u8,
        )
    };
    let unsigned = make(0);
    let mut crc = Crc32c::new();
    crc.update(&unsigned.0[CRC_BYTES..]);
    let from_head = covered.min(head.len());
    crc.update(&head[..from_head]);
    crc.update(&body[..covered - from_head]);
    make(crc.value()).0
}

fn covered_bytes(kind: EntryKind, payload_bytes: usize) -> usize {
    if kind == EntryKind::Append { payload_bytes.min(BATCH_HEADER_BYTES) } else { payload_bytes }
}

/// The entry at the start of `bytes`: what it says, its number, and its payload's length. `None`
/// when it is not whole, not of this file's life, or its CRC is wrong. The CRC of a record batch's
/// records is the caller's to check.
pub(crate) fn parse_entry(bytes: &[u8], identity: FileIdentity) -> Option<(EntryMeta, Lsn, usize)> {
    let header = EntryHeader(*bytes.first_chunk()?);
    let kind = EntryKind::from_byte(header.kind())?;
    let length = usize::try_from(header.length()).ok()?;
    let payload = bytes.get(ENTRY_HEADER_BYTES..)?.get(..length)?;
    let covered = covered_bytes(kind, length);
    if usize::try_from(header.covered()).ok()? != covered
        || header.wal_id() != identity.wal_id
        || header.generation() != identity.generation
        || [header.sequence(), header.position(), header.segment_base_offset().cast_unsigned()]
            .iter()
            .any(|number| *number >= NUMBERS_BELOW)
    {
        return None;
    }
    let mut crc = Crc32c::new();
    crc.update(&header.0[CRC_BYTES..]);
    crc.update(&payload[..covered]);
    if crc.value() != header.crc() {
        return None;
    }
    let topic = Uuid::from_halves(header.topic_high(), header.topic_low());
    let partition = PartitionIndex::new(header.partition());
    let meta = EntryMeta {
        kind,
        partition: TopicPartition { topic, partition },
        sequence: PartitionSequence::new(header.sequence()),
        segment_base_offset: Offset::new(header.segment_base_offset()),
        position: Position::new(header.position()),
    };
    Some((meta, Lsn::new(header.lsn()), length))
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDENTITY: FileIdentity = FileIdentity { wal_id: 7, generation: 1 };

    /// Under a CRC that is right.
    #[test]
    fn numbers_that_nobody_wrote_make_no_commit_and_no_entry() {
        let commit = |bytes| {
            let (first_lsn, durable_lsn) = (Lsn::new(1), Lsn::new(0));
            let commit = Commit { entries: 0, first_lsn, durable_lsn, bytes };
            Commit::parse(&commit.encode(IDENTITY), IDENTITY).is_some()
        };
        assert!(commit(COMMIT_HEADER_BYTES));
        for bytes in [0, COMMIT_HEADER_BYTES - 1, usize::MAX] {
            assert!(!commit(bytes), "a commit of {bytes} bytes would never be passed over");
        }
        let entry = |sequence, base, position| {
            let meta = EntryMeta {
                kind: EntryKind::Carry,
                partition: TopicPartition::default(),
                sequence: PartitionSequence::new(sequence),
                segment_base_offset: Offset::new(base),
                position: Position::new(position),
            };
            let header = entry_header(&meta, IDENTITY, Lsn::new(1), &[], &[]);
            parse_entry(&header, IDENTITY).is_some()
        };
        assert!(entry(1, 2, 3));
        assert!(!entry(u64::MAX, 2, 3) && !entry(1, -1, 3) && !entry(1, 2, u64::MAX));
        let file = |lsn| parse_file_header(&file_header(IDENTITY, Lsn::new(lsn), 4096)).is_some();
        assert!(file(1) && !file(u64::MAX));
    }
}
