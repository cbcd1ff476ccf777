//! Kafka's own classes and ours read and write the same bytes.

use millstream::protocol::messages::MESSAGES;
use millstream::protocol::{ApiKey, ErrorCode, MessageInfo, Writer};

use crate::oracle::{self, Frame, Other};

fn transcoded(message: &MessageInfo, frame: &Frame, to: i16) -> Vec<u8> {
    let mut writer = Writer::new();
    if let Err(error) = (message.transcode)(&frame.bytes, frame.version, to, &mut writer) {
        panic!("{} v{}: {error}: {:02x?}", message.name, frame.version, frame.bytes);
    }
    writer.into_bytes()
}

/// What became of the frames of one release.
#[derive(Debug, Default)]
struct Verdict {
    frames: usize,
    converted: usize,
    refused_field: usize,
    refused_null: usize,
}

fn judge(release: &str) -> Verdict {
    let mut verdict = Verdict::default();
    let mut ours = Vec::new();
    for frame in &oracle::known(release).frames {
        let message = frame.message;
        verdict.frames += 1;
        for (to, other) in &frame.others {
            let bytes = transcoded(message, frame, *to);
            match other {
                Other::Bytes(expected) => {
                    let (name, from) = (message.name, frame.version);
                    assert_eq!(bytes, *expected, "{name} from v{from} to v{to}");
                    verdict.converted += 1;
                }
                Other::RefusesField => verdict.refused_field += 1,
                Other::RefusesNull => verdict.refused_null += 1,
            }
            ours.push((message, *to, bytes));
        }
    }
    // What Kafka would not write itself it has to be able to read.
    assert_eq!(oracle::check(release, &ours), ours.len());
    verdict
}

#[test]
fn every_version_reads_and_writes_like_the_target_release() {
    let verdict = judge("4.3.1");
    println!("{verdict:?}");
    assert!(verdict.frames > 5_000 && verdict.converted > 20_000, "{verdict:?}");
    assert!(verdict.refused_field > 1_000 && verdict.refused_null > 100, "{verdict:?}");
    assert!(verdict.converted > 2 * verdict.refused_field, "{verdict:?}");
}

#[test]
fn every_version_reads_and_writes_like_the_newest_release() {
    let verdict = judge(oracle::NEWEST);
    println!("{verdict:?}");
    assert!(verdict.converted > 20_000, "{verdict:?}");
}

#[test]
fn the_newest_release_knows_the_same_messages_in_the_same_versions() {
    let known = &oracle::known(oracle::NEWEST).versions;
    assert_eq!(known.len(), MESSAGES.len());
    for (message, versions) in known {
        let ours: Vec<i16> = message.versions.clone().collect();
        assert_eq!(ours, *versions, "{}", message.name);
    }
}

#[test]
fn the_target_release_knows_no_version_that_is_not_defined() {
    let known = &oracle::known("4.3.1").versions;
    for (message, versions) in known {
        assert!(versions.iter().all(|version| message.versions.contains(version)));
    }
    let newer =
        MESSAGES.iter().filter(|message| known.iter().all(|(other, _)| other.name != message.name));
    let newer: Vec<_> = newer.map(|message| message.name).collect();
    let expected = ["Request", "Response"];
    assert_eq!(newer, expected.map(|role| format!("StreamsGroupTopologyDescriptionUpdate{role}")));
}

#[test]
fn error_codes_are_kafkas() {
    let listed = oracle::run(oracle::NEWEST, &["errors"]);
    let ours = ErrorCode::ALL
        .iter()
        .map(|error| format!("{}\t{}\t{}\n", error.code(), error.name(), error.is_retriable()));
    assert_eq!(ours.collect::<String>(), listed);
    for error in ErrorCode::ALL {
        assert_eq!(ErrorCode::from_code(error.code()), Some(*error));
    }
}

#[test]
fn each_api_has_a_request_and_a_response_of_the_same_versions() {
    assert_eq!(ApiKey::all().len(), 71);
    for api in ApiKey::all() {
        assert_eq!(ApiKey::from_key(api.key()), Some(api));
        for role in ["Request", "Response"] {
            let name = format!("{api}{role}");
            let message = MESSAGES.iter().find(|message| message.name == name).unwrap();
            assert_eq!(message.versions, api.versions(), "{name}");
            assert_eq!(message.flexible_from, api.flexible_from(), "{name}");
        }
    }
}
