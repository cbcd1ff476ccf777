//! Whatever the bytes are, decoding neither panics nor allocates, and ends.

use std::panic::{AssertUnwindSafe, catch_unwind};

use millstream::prng::Prng;
use millstream::protocol::messages::MESSAGES;
use millstream::protocol::{DecodeError, MessageInfo, Writer};

use crate::allocations;
use crate::oracle::{self, Frame};

/// Decodes and looks at everything, which encoding does; checks what must always hold.
fn survive(
    message: &MessageInfo,
    version: i16,
    bytes: &[u8],
    writer: &mut Writer,
) -> Result<(), DecodeError> {
    writer.clear();
    let mut result = Ok(());
    let survived = catch_unwind(AssertUnwindSafe(|| {
        let allocated = allocations::during(|| {
            result = (message.transcode)(bytes, version, version, writer);
        });
        assert_eq!(allocated, 0, "allocations");
    }));
    assert!(survived.is_ok(), "{} v{version}: {bytes:02x?}", message.name);
    result
}

/// Room for what the largest frame becomes, so that the writer has no reason to allocate.
fn roomy() -> Writer {
    Writer::with_capacity(4 << 20)
}

/// Frames of each message in each version: the emptiest, and the largest that is not so large
/// that trying every byte takes long.
fn frames() -> impl Iterator<Item = (&'static MessageInfo, i16, &'static [u8])> {
    let same = |one: &Frame, two: &Frame| {
        (one.message.name, one.version) == (two.message.name, two.version)
    };
    oracle::known(oracle::NEWEST).frames.chunk_by(same).flat_map(|frames| {
        let small = frames.iter().filter(|frame| frame.bytes.len() <= 300);
        let large = small.max_by_key(|frame| frame.bytes.len()).unwrap_or(&frames[0]);
        [&frames[0], large].map(|frame| (frame.message, frame.version, frame.bytes.as_slice()))
    })
}

#[test]
fn truncated_anywhere() {
    let mut writer = roomy();
    for (message, version, bytes) in frames() {
        for end in 0..bytes.len() {
            let result = survive(message, version, &bytes[..end], &mut writer);
            assert!(result.is_err(), "{} v{version} is complete after {end}", message.name);
        }
        assert_eq!(survive(message, version, bytes, &mut writer), Ok(()));
    }
}

#[test]
fn with_bytes_behind() {
    let mut writer = roomy();
    for (message, version, bytes) in frames() {
        let longer = [bytes, &[0]].concat();
        let result = survive(message, version, &longer, &mut writer);
        assert_eq!(result, Err(DecodeError::TrailingBytes), "{} v{version}", message.name);
    }
}

#[test]
fn in_versions_that_are_not_defined() {
    let mut writer = roomy();
    for message in MESSAGES {
        let versions = message.versions.clone();
        for version in [i16::MIN, -1, versions.start() - 1, versions.end() + 1, i16::MAX] {
            let result = survive(message, version, &[0; 64], &mut writer);
            assert_eq!(result, Err(DecodeError::UnsupportedVersion), "{}", message.name);
        }
    }
}

#[test]
fn with_enormous_lengths_anywhere() {
    let mut writer = roomy();
    // The largest length in four bytes, in a variable integer, one more than that, and minus one.
    let lengths: [&[u8]; 5] = [
        &[0x7f, 0xff, 0xff, 0xff],
        &[0xff, 0xff, 0xff, 0xff, 0x07],
        &[0x80, 0x80, 0x80, 0x80, 0x08],
        &[0xff, 0xff, 0xff, 0xff, 0x0f],
        &[0xff, 0xff, 0xff, 0xff, 0xff],
    ];
    for (message, version, bytes) in frames() {
        let mut changed = Vec::with_capacity(bytes.len() + 8);
        for position in 0..bytes.len() {
            for length in lengths {
                changed.clear();
                changed.extend_from_slice(&bytes[..position]);
                changed.extend_from_slice(length);
                changed.extend_from_slice(bytes.get(position + length.len()..).unwrap_or(&[]));
                let _ = survive(message, version, &changed, &mut writer);
            }
        }
    }
}

#[test]
fn with_random_changes() {
    let mut writer = roomy();
    let mut random = Prng::new(7);
    let mut accepted = 0;
    for (message, version, bytes) in frames().filter(|(_, _, bytes)| !bytes.is_empty()) {
        for _ in 0..60 {
            let mut changed = bytes.to_vec();
            for _ in 0..=random.below(3) {
                let position = random.below(changed.len() as u64) as usize;
                match random.below(4) {
                    0 => changed[position] = random.next_u64() as u8,
                    1 => changed[position] ^= 1 << random.below(8),
                    2 => changed.insert(position, random.next_u64() as u8),
                    _ if changed.len() > 1 => drop(changed.remove(position)),
                    _ => {}
                }
            }
            accepted += u32::from(survive(message, version, &changed, &mut writer).is_ok());
        }
    }
    assert!(accepted > 1_000, "{accepted} were still messages: the others test too little");
}

#[test]
fn of_noise() {
    let mut writer = roomy();
    let mut random = Prng::new(11);
    for message in MESSAGES {
        for version in message.versions.clone() {
            for round in 0..40 {
                let length = random.below(200) as usize;
                // Small numbers look like lengths more often than others.
                let below = if round % 2 == 0 { 256 } else { 4 };
                let noise: Vec<u8> = (0..length).map(|_| random.below(below) as u8).collect();
                let _ = survive(message, version, &noise, &mut writer);
            }
        }
    }
}

/// Appends a tagged field that nobody knows to the end of a flexible message.
#[test]
fn unknown_tagged_fields_are_skipped() {
    let mut writer = roomy();
    let mut checked = 0;
    for (message, version, bytes) in frames() {
        // The last byte of a message without tagged fields counts none.
        let flexible = message.flexible_from.is_some_and(|first| version >= first);
        let Some((0, body)) = bytes.split_last().filter(|_| flexible) else { continue };
        let unknown = [body, &[2, 0x89, 0x02, 3, 1, 2, 3, 0xff, 0x7f, 0]].concat();
        if survive(message, version, &unknown, &mut writer).is_ok() {
            // Zero may also have been the end of something else; then it is no message now.
            assert_eq!(writer.bytes(), bytes, "{} v{version}", message.name);
            checked += 1;
        }
    }
    assert!(checked > 500, "{checked}");
}
