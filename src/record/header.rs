//! The 61 bytes in front of a batch's records (KIP-98: message format 2).

use super::Codec;
use super::crc::{crc32c, crc32c_with_new_start};
use crate::types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Timestamp};

/// The bytes of a batch's header.
pub const HEADER_BYTES: usize = 61;

/// The bytes in front of those that the length field counts: base offset and length.
pub(super) const LENGTH_END: usize = 12;
/// Where the magic byte stands, in this and all older formats.
pub(super) const MAGIC_AT: usize = 16;
/// The first byte that the checksum covers.
pub(super) const CHECKED_FROM: usize = 21;
/// The smallest value of the length field: a header and no record.
pub(super) const LENGTH_MIN: u32 = (HEADER_BYTES - LENGTH_END) as u32;
/// The same of a message of format 0, the shortest there is.
const LENGTH_MIN_OF_ANY_FORMAT: u32 = 14;
/// The largest value of the length field, which is signed on the wire.
pub(super) const LENGTH_MAX: u32 = i32::MAX as u32;

const MAGIC: u8 = 2;

/// Why bytes do not start with a batch of format 2.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HeaderError {
    /// Nothing is wrong with these bytes, but there are fewer than the batch has.
    Partial {
        /// How many bytes make the batch complete, or tell at least how long it is.
        bytes_needed: usize,
    },
    /// The length field is below that of an empty batch or negative.
    Length(i32),
    /// A message of format 0 or 1, from before Kafka 0.11.
    OldFormat(u8),
    /// A format that does not exist.
    UnknownFormat(u8),
}

/// What a batch's timestamps mean (KIP-32).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TimestampType {
    /// Each record carries the time its producer gave it.
    CreateTime,
    /// All records have the batch's maximum timestamp, set when the leader appended it.
    LogAppendTime,
}

/// A batch's attribute bits, as on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Attributes(u16);

impl Attributes {
    const CODEC: u16 = 0x07;
    const LOG_APPEND_TIME: u16 = 0x08;
    const TRANSACTIONAL: u16 = 0x10;
    const CONTROL: u16 = 0x20;
    const DELETE_HORIZON: u16 = 0x40;

    /// Attributes from their 16 bits.
    pub const fn new(bits: u16) -> Self {
        Self(bits)
    }

    /// The 16 bits.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// How the records are compressed; the bare number if no codec has it.
    ///
    /// # Errors
    /// 5, 6 or 7.
    pub fn codec(self) -> Result<Codec, u8> {
        let id = (self.0 & Self::CODEC) as u8;
        Codec::from_id(id).ok_or(id)
    }

    /// What the timestamps mean.
    pub const fn timestamp_type(self) -> TimestampType {
        if self.0 & Self::LOG_APPEND_TIME == 0 {
            TimestampType::CreateTime
        } else {
            TimestampType::LogAppendTime
        }
    }

    /// Whether the records belong to a transaction (KIP-98).
    pub const fn is_transactional(self) -> bool {
        self.0 & Self::TRANSACTIONAL != 0
    }

    /// Whether the records are control records, which only brokers write (KIP-98).
    pub const fn is_control(self) -> bool {
        self.0 & Self::CONTROL != 0
    }

    /// Whether the base timestamp is the time at which compaction may drop tombstones (KIP-534).
    pub const fn has_delete_horizon(self) -> bool {
        self.0 & Self::DELETE_HORIZON != 0
    }

    /// The bits that have no meaning yet.
    pub const fn unknown_bits(self) -> u16 {
        self.0 & !0x7f
    }

    /// The same with another codec.
    #[must_use]
    pub fn with_codec(self, codec: Codec) -> Self {
        Self(self.0 & !Self::CODEC | u16::from(codec.id()))
    }

    /// The same with another meaning of the timestamps.
    #[must_use]
    pub fn with_timestamp_type(self, timestamp_type: TimestampType) -> Self {
        self.with(Self::LOG_APPEND_TIME, timestamp_type == TimestampType::LogAppendTime)
    }

    /// The same, of a transaction or not.
    #[must_use]
    pub fn with_transactional(self, transactional: bool) -> Self {
        self.with(Self::TRANSACTIONAL, transactional)
    }

    /// The same, of control records or not.
    #[must_use]
    pub fn with_control(self, control: bool) -> Self {
        self.with(Self::CONTROL, control)
    }

    /// The same, with a delete horizon as the base timestamp or not.
    #[must_use]
    pub fn with_delete_horizon(self, delete_horizon: bool) -> Self {
        self.with(Self::DELETE_HORIZON, delete_horizon)
    }

    fn with(self, bit: u16, on: bool) -> Self {
        Self(self.0 & !bit | if on { bit } else { 0 })
    }
}

/// The decoded header of a batch of format 2. Only its format and the lower bound of its length
/// are certain: everything else may be any value until the batch has been validated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchHeader {
    /// The offset of the first record; kept when compaction drops that record.
    pub base_offset: Offset,
    /// The bytes that follow the length field, 49 or more.
    pub batch_length: u32,
    /// The epoch of the leader that appended the batch; not covered by the checksum.
    pub leader_epoch: LeaderEpoch,
    /// The CRC-32C of everything from the attributes on.
    pub crc: u32,
    /// Codec and flags.
    pub attributes: Attributes,
    /// The last record's offset minus the base offset; kept when compaction drops that record.
    pub last_offset_delta: i32,
    /// What the records' timestamps are relative to, or the delete horizon.
    pub base_timestamp: Timestamp,
    /// The largest timestamp of the records, or the time of the append.
    pub max_timestamp: Timestamp,
    /// The producer; negative without idempotence.
    pub producer_id: ProducerId,
    /// The producer's epoch; without meaning when there is no producer id.
    pub producer_epoch: ProducerEpoch,
    /// The sequence number of the first record; without meaning when there is no producer id.
    pub base_sequence: i32,
    /// The number of records; 0 where compaction kept only the header.
    pub record_count: i32,
}

/// What the leader writes into a batch when it appends it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stamp {
    /// The offset that the first record gets.
    pub base_offset: Offset,
    /// The leader's epoch.
    pub leader_epoch: LeaderEpoch,
    /// The time of the append, in topics with `message.timestamp.type=LogAppendTime`.
    pub log_append_time: Option<Timestamp>,
}

impl BatchHeader {
    /// Decodes the header at the start of `bytes`; what follows it may be missing.
    ///
    /// # Errors
    /// The bytes are too few to hold a header, or are none of this format.
    #[inline]
    pub fn decode(bytes: &[u8]) -> Result<Self, HeaderError> {
        let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else {
            return Err(why_too_short(bytes));
        };
        let mut fields = Fields(header);
        let base_offset = Offset::new(i64::from_be_bytes(fields.next()));
        let batch_length = u32::from_be_bytes(fields.next());
        let leader_epoch = LeaderEpoch::new(i32::from_be_bytes(fields.next()));
        let [magic] = fields.next();
        check(batch_length, magic)?;
        Ok(Self {
            base_offset,
            batch_length,
            leader_epoch,
            crc: u32::from_be_bytes(fields.next()),
            attributes: Attributes::new(u16::from_be_bytes(fields.next())),
            last_offset_delta: i32::from_be_bytes(fields.next()),
            base_timestamp: Timestamp::new(i64::from_be_bytes(fields.next())),
            max_timestamp: Timestamp::new(i64::from_be_bytes(fields.next())),
            producer_id: ProducerId::new(i64::from_be_bytes(fields.next())),
            producer_epoch: ProducerEpoch::new(i16::from_be_bytes(fields.next())),
            base_sequence: i32::from_be_bytes(fields.next()),
            record_count: i32::from_be_bytes(fields.next()),
        })
    }

    /// The 61 bytes of this header.
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(&self.base_offset.get().to_be_bytes());
        bytes[8..12].copy_from_slice(&self.batch_length.to_be_bytes());
        bytes[12..16].copy_from_slice(&self.leader_epoch.get().to_be_bytes());
        bytes[MAGIC_AT] = MAGIC;
        bytes[17..21].copy_from_slice(&self.crc.to_be_bytes());
        bytes[21..23].copy_from_slice(&self.attributes.get().to_be_bytes());
        bytes[23..27].copy_from_slice(&self.last_offset_delta.to_be_bytes());
        bytes[27..35].copy_from_slice(&self.base_timestamp.get().to_be_bytes());
        bytes[35..43].copy_from_slice(&self.max_timestamp.get().to_be_bytes());
        bytes[43..51].copy_from_slice(&self.producer_id.get().to_be_bytes());
        bytes[51..53].copy_from_slice(&self.producer_epoch.get().to_be_bytes());
        bytes[53..57].copy_from_slice(&self.base_sequence.to_be_bytes());
        bytes[57..61].copy_from_slice(&self.record_count.to_be_bytes());
        bytes
    }

    /// The bytes of the whole batch.
    pub fn total_bytes(&self) -> usize {
        LENGTH_END + self.batch_length as usize
    }

    /// The bytes of the records as they are stored, compressed or not.
    pub fn section_bytes(&self) -> u32 {
        self.batch_length - LENGTH_MIN
    }

    /// The offset of the last record. In a batch that was never validated it may mean nothing.
    pub fn last_offset(&self) -> Offset {
        Offset::new(self.base_offset.get().saturating_add(i64::from(self.last_offset_delta)))
    }

    /// The offset behind the last record.
    pub fn next_offset(&self) -> Offset {
        Offset::new(self.last_offset().get().saturating_add(1))
    }

    /// Whether the batch was written with idempotence.
    pub fn has_producer(&self) -> bool {
        self.producer_id.get() >= 0
    }

    /// The sequence number of the last record. Sequences go from `i32::MAX` on to 0 (KIP-98).
    pub fn last_sequence(&self) -> i32 {
        if self.base_sequence < 0 {
            return self.base_sequence;
        }
        let sum = i64::from(self.base_sequence) + i64::from(self.last_offset_delta);
        (sum & i64::from(i32::MAX)) as i32
    }

    /// The header that the leader appends: everything but the stamp stays as it is, and so does
    /// the rest of the batch. Kafka keeps the base timestamp also under LogAppendTime.
    #[must_use]
    pub fn stamped(&self, stamp: Stamp) -> Self {
        let header =
            Self { base_offset: stamp.base_offset, leader_epoch: stamp.leader_epoch, ..*self };
        match stamp.log_append_time {
            None => header,
            Some(time) => header.with_max_timestamp(TimestampType::LogAppendTime, time),
        }
    }

    /// The same header with other timestamps and the checksum that goes with them. Of the body
    /// only its length is needed; see [`crc32c_with_new_start`].
    #[must_use]
    pub fn with_max_timestamp(&self, timestamp_type: TimestampType, max: Timestamp) -> Self {
        let attributes = self.attributes.with_timestamp_type(timestamp_type);
        if attributes == self.attributes && max == self.max_timestamp {
            return *self;
        }
        let mut new = Self { attributes, max_timestamp: max, ..*self };
        let start = |header: &Self| crc32c(&header.encode()[CHECKED_FROM..]);
        new.crc = crc32c_with_new_start(self.crc, start(self), start(&new), self.section_bytes());
        new
    }
}

/// The bytes of a header that were not decoded yet.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    #[inline(always)]
    fn next<const N: usize>(&mut self) -> [u8; N] {
        let (field, rest) = self.0.split_first_chunk().expect("the fields make up 61 bytes");
        self.0 = rest;
        *field
    }
}

fn check(batch_length: u32, magic: u8) -> Result<(), HeaderError> {
    let length_min = match magic {
        MAGIC => LENGTH_MIN,
        _ => LENGTH_MIN_OF_ANY_FORMAT,
    };
    // The length first: zeros, such as a file's reserved space, are no message of format 0.
    if !(length_min..=LENGTH_MAX).contains(&batch_length) {
        return Err(HeaderError::Length(batch_length as i32));
    }
    match magic {
        MAGIC => Ok(()),
        0 | 1 => Err(HeaderError::OldFormat(magic)),
        _ => Err(HeaderError::UnknownFormat(magic)),
    }
}

/// Tells the start of a batch from bytes that can never become one.
#[cold]
fn why_too_short(bytes: &[u8]) -> HeaderError {
    let length = bytes.get(8..LENGTH_END).and_then(|field| field.first_chunk().copied());
    let Some(length) = length.map(u32::from_be_bytes) else {
        return HeaderError::Partial { bytes_needed: HEADER_BYTES };
    };
    match bytes.get(MAGIC_AT).map(|magic| check(length, *magic)) {
        Some(Err(error)) => error,
        Some(Ok(())) => HeaderError::Partial { bytes_needed: LENGTH_END + length as usize },
        None if length < LENGTH_MIN_OF_ANY_FORMAT => HeaderError::Length(length as i32),
        None => HeaderError::Partial { bytes_needed: HEADER_BYTES },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: BatchHeader = BatchHeader {
        base_offset: Offset::new(0x0102_0304_0506_0708),
        batch_length: 50,
        leader_epoch: LeaderEpoch::new(0x090a_0b0c),
        crc: 0x0d0e_0f10,
        attributes: Attributes::new(0x1112),
        last_offset_delta: 0x1314_1516,
        base_timestamp: Timestamp::new(0x1718_191a_1b1c_1d1e),
        max_timestamp: Timestamp::new(0x1f20_2122_2324_2526),
        producer_id: ProducerId::new(0x2728_292a_2b2c_2d2e),
        producer_epoch: ProducerEpoch::new(0x2f30),
        base_sequence: 0x3132_3334,
        record_count: 0x3536_3738,
    };

    #[test]
    fn encodes_every_field_in_its_place() {
        let bytes = HEADER.encode();
        let without_length_and_magic = [&bytes[..8], &bytes[12..16], &bytes[17..]].concat();
        let expected: Vec<u8> = (1..=0x38).collect();
        assert_eq!(without_length_and_magic, expected);
        assert_eq!((bytes[11], bytes[16]), (50, 2));
        assert_eq!(BatchHeader::decode(&bytes), Ok(HEADER));
        assert_eq!((HEADER.total_bytes(), HEADER.section_bytes()), (62, 1));
    }

    #[test]
    fn attributes_are_kafkas() {
        let none = Attributes::default();
        assert_eq!(none.codec(), Ok(Codec::None));
        assert_eq!(none.with_codec(Codec::Zstd).get(), 4);
        assert_eq!(none.with_timestamp_type(TimestampType::LogAppendTime).get(), 8);
        assert_eq!(none.with_transactional(true).get(), 0x10);
        assert_eq!(none.with_control(true).get(), 0x20);
        assert_eq!(none.with_delete_horizon(true).get(), 0x40);
        let all = Attributes::new(0xffff);
        assert_eq!((all.codec(), all.unknown_bits()), (Err(7), 0xff80));
        assert_eq!(all.with_codec(Codec::Gzip).with_control(false).get(), 0xffd9);
        assert!(all.is_transactional() && all.is_control() && all.has_delete_horizon());
        assert_eq!(all.timestamp_type(), TimestampType::LogAppendTime);
    }

    #[test]
    fn says_what_is_wrong_with_a_start() {
        let start = |length: i32, magic: u8, bytes: usize| {
            let mut start = HEADER.encode();
            start[8..12].copy_from_slice(&length.to_be_bytes());
            start[16] = magic;
            BatchHeader::decode(&start[..bytes]).unwrap_err()
        };
        let header = HeaderError::Partial { bytes_needed: 61 };
        assert_eq!(start(100, 2, 0), header);
        assert_eq!(start(-1, 2, 11), header);
        assert_eq!(start(100, 2, 16), header);
        assert_eq!(start(100, 2, 17), HeaderError::Partial { bytes_needed: 112 });
        assert_eq!(start(100, 2, 60), HeaderError::Partial { bytes_needed: 112 });
        assert_eq!(start(13, 2, 12), HeaderError::Length(13));
        assert_eq!(start(48, 2, 17), HeaderError::Length(48));
        assert_eq!(start(48, 2, 61), HeaderError::Length(48));
        assert_eq!(start(i32::MIN, 2, 61), HeaderError::Length(i32::MIN));
        assert_eq!(start(14, 0, 17), HeaderError::OldFormat(0));
        assert_eq!(start(14, 1, 61), HeaderError::OldFormat(1));
        assert_eq!(start(0, 0, 61), HeaderError::Length(0));
        assert_eq!(start(100, 3, 61), HeaderError::UnknownFormat(3));
        assert_eq!(start(100, 0xff, 20), HeaderError::UnknownFormat(0xff));
    }

    #[test]
    fn sequences_wrap_and_offsets_saturate() {
        let at = |base_sequence, last_offset_delta| BatchHeader {
            base_sequence,
            last_offset_delta,
            ..HEADER
        };
        assert_eq!(at(5, 3).last_sequence(), 8);
        assert_eq!(at(i32::MAX, 0).last_sequence(), i32::MAX);
        assert_eq!(at(i32::MAX, 1).last_sequence(), 0);
        assert_eq!(at(i32::MAX - 1, i32::MAX).last_sequence(), i32::MAX - 2);
        assert_eq!(at(-1, 0).last_sequence(), -1);
        let last = BatchHeader { base_offset: Offset::new(i64::MAX), ..HEADER };
        assert_eq!(last.next_offset(), Offset::new(i64::MAX));
    }

    #[test]
    fn a_stamp_leaves_the_checksum_right() {
        let records = [7; 1000];
        let mut header = BatchHeader { batch_length: LENGTH_MIN + 1000, ..HEADER };
        let computed =
            |header: &BatchHeader| crc32c(&[&header.encode()[CHECKED_FROM..], &records].concat());
        header.crc = computed(&header);
        let stamp = Stamp {
            base_offset: Offset::new(9),
            leader_epoch: LeaderEpoch::new(4),
            log_append_time: None,
        };
        let stamped = header.stamped(stamp);
        assert_eq!(stamped.crc, header.crc);
        assert_eq!(computed(&stamped), header.crc);
        let time = Some(Timestamp::new(77));
        let timed = header.stamped(Stamp { log_append_time: time, ..stamp });
        assert_ne!(timed.crc, header.crc);
        assert_eq!(computed(&timed), timed.crc);
        assert_eq!(timed.max_timestamp, Timestamp::new(77));
        assert_eq!(timed.base_timestamp, header.base_timestamp);
        assert_eq!(timed.attributes.timestamp_type(), TimestampType::LogAppendTime);
    }
}
