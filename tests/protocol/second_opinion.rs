//! Another codec sees the same values in the same fields. Kafka's classes compare bytes; a field
//! that is read and written under a wrong name would pass there.

use std::fmt::Debug;

use kafka_protocol::protocol::Decodable;
use millstream::protocol::Message;
use millstream::types::Uuid;

use crate::oracle;

/// A value's `Debug` text in words that do not depend on whose type it is.
fn words(value: &impl Debug) -> Vec<String> {
    let text = format!("{value:?}");
    let mut words = Vec::new();
    let mut rest = text.as_str();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => literal(rest),
            'b' if rest.starts_with("b\"") => 1 + literal(&rest[1..]),
            _ if is_word(first) => rest.find(|letter| !is_word(letter)).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        match &rest[..length] {
            " " | "," | ":" => {}
            // Wrappers around one value, and what only one of the two codecs keeps.
            "(" | ")" | "Some" | "Bytes" | "BrokerId" | "GroupId" | "TopicName" | "Uuid"
            | "TransactionalId" | "ProducerId" => {}
            bytes if bytes.starts_with("b\"") => {
                words.push("[".to_owned());
                words.extend(unescaped(&bytes[2..length - 1]).iter().map(u8::to_string));
                words.push("]".to_owned());
            }
            word => words.push(match word.parse::<Uuid>() {
                Ok(id) => hyphenated(id),
                Err(_) => word.to_owned(),
            }),
        }
        rest = &rest[length..];
    }
    while let Some(at) = words.iter().position(|word| word == "unknown_tagged_fields") {
        words.drain(at..at + 3);
    }
    words
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || "_-.+".contains(letter)
}

/// The length of a quoted text at the start.
fn literal(text: &str) -> usize {
    let mut escaped = false;
    let end = text[1..].find(|letter| {
        let end = letter == '"' && !escaped;
        escaped = letter == '\\' && !escaped;
        end
    });
    end.unwrap() + 2
}

/// The bytes of a byte string's literal.
fn unescaped(mut text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(first) = text.bytes().next() {
        let (byte, length) = match (first, text.as_bytes().get(1)) {
            (b'\\', Some(b'x')) => (u8::from_str_radix(&text[2..4], 16).unwrap(), 4),
            (b'\\', Some(b'n')) => (b'\n', 2),
            (b'\\', Some(b'r')) => (b'\r', 2),
            (b'\\', Some(b't')) => (b'\t', 2),
            (b'\\', Some(b'0')) => (0, 2),
            (b'\\', Some(other)) => (*other, 2),
            (other, _) => (other, 1),
        };
        bytes.push(byte);
        text = &text[length..];
    }
    bytes
}

fn hyphenated(id: Uuid) -> String {
    let hex: String = id.bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// Compares all frames of one message; returns how many there were.
fn compare<'a, Ours, Theirs>() -> usize
where
    Ours: Message<'a> + Debug,
    Theirs: Decodable + kafka_protocol::protocol::Message + Debug,
{
    let known = Theirs::VERSIONS;
    let mut count = 0;
    for frame in &oracle::known(oracle::NEWEST).frames {
        let (name, version) = (frame.message.name, frame.version);
        if name != Ours::NAME || version < known.min || version > known.max {
            continue;
        }
        let ours = Ours::decode(&frame.bytes, version).unwrap();
        let mut bytes = bytes::Bytes::from(frame.bytes.clone());
        let theirs = Theirs::decode(&mut bytes, version).unwrap();
        assert_eq!(words(&ours), words(&theirs), "{name} v{version}");
        count += 1;
    }
    count
}

macro_rules! compare {
    ($($module:ident::$message:ident)*) => {
        [$(compare::<
            millstream::protocol::messages::$module::$message<'_>,
            kafka_protocol::messages::$message,
        >()),*]
    };
}

#[test]
fn another_codec_sees_the_same_values() {
    let counts = compare!(
        produce::ProduceRequest produce::ProduceResponse
        fetch::FetchRequest fetch::FetchResponse
        metadata::MetadataRequest metadata::MetadataResponse
        list_offsets::ListOffsetsRequest list_offsets::ListOffsetsResponse
        api_versions::ApiVersionsResponse
        find_coordinator::FindCoordinatorResponse
        join_group::JoinGroupRequest join_group::JoinGroupResponse
        sync_group::SyncGroupRequest sync_group::SyncGroupResponse
        heartbeat::HeartbeatRequest
        offset_commit::OffsetCommitRequest
        offset_fetch::OffsetFetchRequest offset_fetch::OffsetFetchResponse
        end_txn::EndTxnRequest
        create_topics::CreateTopicsRequest
        consumer_group_heartbeat::ConsumerGroupHeartbeatRequest
    );
    assert!(counts.iter().all(|count| *count >= 20), "{counts:?}");
}
