//! Bytes of clients: frames, requests, batches, compressed records.

use millstream::connection::{Inbox, Received, next_frame};
use millstream::protocol::messages::MESSAGES;
use millstream::protocol::{RequestHeader, Writer};
use millstream::record::{
    BatchHeader, Batches, Codec, DecompressError, Decompressor, HEADER_BYTES, Rules, TimestampRule,
    Validation, crc32c, decompress, record_faults, validate,
};
use millstream::types::Timestamp;

use crate::world::World;

const FRAME_BYTES_MAX: usize = 1 << 16;
const SECTION_BYTES_MAX: usize = 1 << 20;
const CRC_AT: usize = 17;

/// Frames found in `bytes`, as far as they go.
fn split(bytes: &[u8], found: &mut Vec<Vec<u8>>) -> (usize, bool) {
    let mut handled = 0;
    loop {
        match next_frame(&bytes[handled..], FRAME_BYTES_MAX) {
            Ok(Some(frame)) => {
                found.push(bytes[handled..][frame.clone()].to_vec());
                handled += frame.end;
            }
            Ok(None) => return (handled, true),
            Err(_) => return (handled, false),
        }
    }
}

/// Frames are the same however the bytes are cut; the first byte seeds the cuts.
pub fn frames(data: &[u8]) {
    let Some((seed, bytes)) = data.split_first() else { return };
    let mut expected = Vec::new();
    split(bytes, &mut expected);
    let mut prng = millstream::prng::Prng::new(u64::from(*seed));
    let (mut inbox, mut shared) = (Inbox::default(), vec![0; 1 << 12]);
    let (mut found, mut rest, mut valid) = (Vec::new(), bytes, true);
    while !rest.is_empty() && valid {
        let space = inbox.space(&mut shared);
        let most = rest.len().min(space.len());
        let count = 1 + prng.below(most as u64) as usize;
        let (now, later) = rest.split_at(count.min(most));
        space[..now.len()].copy_from_slice(now);
        rest = later;
        match inbox.received(now.len()) {
            Received::Shared(filled) => {
                let (handled, sound) = split(&shared[..filled], &mut found);
                inbox.keep(&shared[handled..filled]);
                valid = sound;
            }
            Received::Own => {
                let (storage, held) = inbox.take();
                let (handled, sound) = split(&storage[..held], &mut found);
                inbox.put_back(storage, held, handled);
                valid = sound;
            }
        }
        let bound = 2 * FRAME_BYTES_MAX + 4096;
        assert!(inbox.capacity_bytes() <= bound, "memory follows what has arrived");
    }
    assert_eq!(found, expected, "cuts change nothing");
}

/// A header, and every message in every version: two bytes choose which.
pub fn messages(data: &[u8]) {
    if let Ok((header, body)) = RequestHeader::split_frame(data) {
        assert!(body.len() <= data.len());
        let _ = header.api();
    }
    let [which, version, bytes @ ..] = data else { return };
    let message = &MESSAGES[usize::from(*which) % MESSAGES.len()];
    let count = message.versions.end() - message.versions.start() + 1;
    let version = message.versions.start() + i16::from(*version) % count;
    let mut writer = Writer::new();
    if (message.transcode)(bytes, version, version, &mut writer).is_ok() {
        let first = writer.bytes().to_vec();
        writer.clear();
        let again = (message.transcode)(&first, version, version, &mut writer);
        assert!(again.is_ok() && writer.bytes() == first, "what was written reads the same");
    }
}

/// A frame's body, handled by a whole shard.
pub fn requests(world: &mut World, data: &[u8]) {
    let mut frame = u32::try_from(data.len()).expect("short").to_be_bytes().to_vec();
    frame.extend_from_slice(data);
    world.hostile(&frame);
}

/// A batch: as it is, and with a checksum that holds, so that what is behind it is reached.
pub fn batches(data: &[u8]) {
    batch(data);
    if data.len() >= HEADER_BYTES {
        let mut whole = data.to_vec();
        let length = i32::try_from(whole.len() - 12).expect("short");
        whole[8..12].copy_from_slice(&length.to_be_bytes());
        let checksum = crc32c(&whole[CRC_AT + 4..]);
        whole[CRC_AT..CRC_AT + 4].copy_from_slice(&checksum.to_be_bytes());
        batch(&whole);
    }
}

fn batch(bytes: &[u8]) {
    let mut scratch = Vec::new();
    for (validation, keys_required) in [(Validation::Full, true), (Validation::HeaderOnly, false)] {
        let rules = Rules {
            bytes_max: FRAME_BYTES_MAX,
            section_bytes_max: SECTION_BYTES_MAX,
            zstd_allowed: true,
            transactional_allowed: keys_required,
            keys_required,
            timestamps: TimestampRule::CreateTime {
                before_max_ms: i64::MAX,
                after_max_ms: 3_600_000,
            },
            validation,
            now: Timestamp::new(1_700_000_000_000),
        };
        if let Ok(validated) = validate(bytes, &rules) {
            assert_eq!(validated.header.total_bytes(), bytes.len());
        }
        record_faults(bytes, &rules).take(100).for_each(drop);
    }
    let _ = BatchHeader::decode(bytes);
    for batch in Batches::new(bytes) {
        let Ok(records) = batch.records(SECTION_BYTES_MAX, &mut scratch) else { continue };
        records.take(10_000).for_each(drop);
    }
}

/// Each decompressor, with a limit that holds.
pub fn decompressors(data: &[u8]) {
    let Some((which, input)) = data.split_first() else { return };
    let codecs = [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];
    let codec = codecs[usize::from(*which) % codecs.len()];
    let mut out = Vec::new();
    let whole = decompress(codec, input, SECTION_BYTES_MAX, &mut out);
    if whole.is_ok() {
        assert!(out.len() <= SECTION_BYTES_MAX);
    }
    assert!(out.capacity() <= 4 * SECTION_BYTES_MAX, "the limit bounds memory as well");
    let mut pieces = Vec::new();
    let piecewise = decompress_pieces(codec, input, &mut pieces);
    // Windows that are announced larger than may be do not matter where all output is at hand.
    assert!(whole.is_ok() == piecewise.is_ok() || (codec == Codec::Zstd && whole.is_ok()));
    assert!(piecewise.is_err() || pieces == out, "the same bytes, piece by piece");
}

fn decompress_pieces(codec: Codec, input: &[u8], out: &mut Vec<u8>) -> Result<(), DecompressError> {
    let mut decompressor = Decompressor::new(codec, input, SECTION_BYTES_MAX)?;
    loop {
        let piece = decompressor.fill()?;
        if piece.is_empty() {
            return Ok(());
        }
        out.extend_from_slice(piece);
        let count = piece.len();
        decompressor.consume(count);
    }
}
