use proptest::prelude::*;

use super::messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use super::messages::fetch::{FetchResponse, FetchableTopicResponse, PartitionData};
use super::messages::heartbeat::{HeartbeatRequest, HeartbeatResponse};
use super::messages::metadata::MetadataRequest;
use super::messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use super::*;

fn encoded<'a>(message: &impl Message<'a>, version: i16) -> Vec<u8> {
    let mut writer = Writer::new();
    message.encode(version, &mut writer).unwrap();
    writer.into_bytes()
}

#[test]
fn varints_may_be_padded_but_not_longer_than_32_bits() {
    let read = |bytes: &[u8]| Reader::new(bytes).unsigned_varint();
    assert_eq!(read(&[0]), Ok(0));
    assert_eq!(read(&[0x80, 0x00]), Ok(0));
    assert_eq!(read(&[0x81, 0x80, 0x80, 0x80, 0x00]), Ok(1));
    assert_eq!(read(&[0xff, 0xff, 0xff, 0xff, 0x0f]), Ok(u32::MAX));
    assert_eq!(read(&[0xff, 0xff, 0xff, 0xff, 0x1f]), Err(DecodeError::InvalidVarint));
    assert_eq!(read(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x00]), Err(DecodeError::InvalidVarint));
    assert_eq!(read(&[0x80, 0x80]), Err(DecodeError::Truncated));
    assert_eq!(read(&[]), Err(DecodeError::Truncated));
}

proptest! {
    #[test]
    fn varints_come_back(value: u32) {
        let mut writer = Writer::new();
        writer.unsigned_varint(value);
        let mut reader = Reader::new(writer.bytes());
        prop_assert_eq!(reader.unsigned_varint(), Ok(value));
        prop_assert!(reader.rest().is_empty());
    }

    #[test]
    fn produce_requests_come_back(
        name in "\\PC{0,200}",
        batches in proptest::collection::vec(
            (any::<i32>(), proptest::option::of(proptest::collection::vec(any::<u8>(), 0..300))),
            0..150,
        ),
        version in 3i16..=12,
    ) {
        let partitions: Vec<_> = batches
            .iter()
            .map(|(index, batch)| PartitionProduceData {
                index: *index,
                records: batch.as_deref().map(Records::Bytes),
            })
            .collect();
        let topics = [TopicProduceData {
            name: &name,
            partition_data: Array::new(&partitions),
            ..TopicProduceData::default()
        }; 2];
        let request = ProduceRequest { topic_data: (&topics).into(), ..ProduceRequest::default() };
        let bytes = encoded(&request, version);
        prop_assert_eq!(ProduceRequest::decode(&bytes, version), Ok(request));
    }
}

#[test]
fn nulls_and_lengths_are_checked() {
    // Heartbeat 0: group id, generation, member id.
    let decode = |bytes: &[u8]| HeartbeatRequest::decode(bytes, 0).map(|_| ());
    assert_eq!(decode(&[0, 0, 0, 0, 0, 1, 0, 0]), Ok(()));
    assert_eq!(decode(&[0xff, 0xff, 0, 0, 0, 1, 0, 0]), Err(DecodeError::UnexpectedNull));
    assert_eq!(decode(&[0x80, 0, 0, 0, 0, 1, 0, 0]), Err(DecodeError::InvalidLength));
    assert_eq!(decode(&[0, 1, 0xff, 0, 0, 0, 1, 0, 0]), Err(DecodeError::InvalidUtf8));
    // Metadata 0: an array of names.
    let decode = |bytes: &[u8]| MetadataRequest::decode(bytes, 0).map(|_| ());
    assert_eq!(decode(&[0, 0, 0, 0]), Ok(()));
    assert_eq!(decode(&[0xff; 4]), Err(DecodeError::UnexpectedNull));
    assert_eq!(decode(&[0, 0, 0, 2, 0, 0]), Err(DecodeError::ArrayTooLong));
    // The same in a flexible version, where lengths are one more than they are.
    let decode = |bytes: &[u8]| HeartbeatRequest::decode(bytes, 4).map(|_| ());
    assert_eq!(decode(&[1, 0, 0, 0, 1, 1, 0, 0]), Ok(()));
    assert_eq!(decode(&[0, 0, 0, 0, 1, 1, 0, 0]), Err(DecodeError::UnexpectedNull));
    let long = [&[0x81, 0x80, 0x02][..], &[b'a'; 32_768]].concat();
    assert_eq!(decode(&long), Err(DecodeError::StringTooLong));
}

#[test]
fn a_tagged_field_has_the_size_that_it_announces() {
    let right = [0, 0, 1, 0, 0, 0, 0, 1, 1, 8, 0, 0, 0, 0, 0, 0, 0, 5];
    let response = ApiVersionsResponse::decode(&right, 3).unwrap();
    assert_eq!(response.finalized_features_epoch, 5);
    let long = [0, 0, 1, 0, 0, 0, 0, 1, 1, 9, 0, 0, 0, 0, 0, 0, 0, 5, 0];
    assert_eq!(ApiVersionsResponse::decode(&long, 3), Err(DecodeError::TaggedFieldSize));
    let short = [0, 0, 1, 0, 0, 0, 0, 1, 1, 7, 0, 0, 0, 0, 0, 0, 0, 5];
    assert_eq!(ApiVersionsResponse::decode(&short, 3), Err(DecodeError::Truncated));
}

#[test]
fn what_follows_a_message_is_ignored_unless_asked() {
    let bytes = [&encoded(&HeartbeatRequest::default(), 4)[..], &[1, 2]].concat();
    assert_eq!(HeartbeatRequest::decode(&bytes, 4), Ok(HeartbeatRequest::default()));
    let exact = HeartbeatRequest::decode_exact(&bytes, 4);
    assert_eq!(exact, Err(DecodeError::TrailingBytes));
    let (_, rest) = HeartbeatRequest::decode_prefix(&bytes, 4).unwrap();
    assert_eq!(rest, [1, 2]);
}

#[test]
fn null_becomes_empty_where_a_version_has_no_null() {
    let request = MetadataRequest { topics: None, ..MetadataRequest::default() };
    assert_eq!(encoded(&request, 0), [0; 4]);
    assert_eq!(encoded(&request, 1), [0xff; 4]);
}

#[test]
fn a_cut_leaves_room_for_records_that_lie_elsewhere() {
    let batch = [7; 1000];
    let response = |records| {
        let partitions = [1, 2].map(|partition_index| PartitionData {
            partition_index,
            records: Some(records),
            ..PartitionData::default()
        });
        let topics =
            [FetchableTopicResponse { partitions: (&partitions).into(), ..<_>::default() }];
        let response = FetchResponse { responses: (&topics).into(), ..FetchResponse::default() };
        let mut writer = Writer::new();
        // Something earlier in the same buffer moves the positions.
        writer.frame(|_| Ok(())).unwrap();
        write_response(&mut writer, 5, 16, &response).unwrap();
        writer
    };
    let (whole, cut) = (response(Records::Bytes(&batch)), response(Records::Cut { bytes: 1000 }));
    assert_eq!(cut.cuts().len(), 2);
    assert_eq!((whole.len(), whole.bytes().len()), (cut.len(), cut.bytes().len() + 2000));
    let sent = cut.parts().flat_map(|part| match part {
        Part::Bytes(bytes) => bytes,
        Part::Cut(bytes) => &batch[..bytes],
    });
    assert_eq!(sent.copied().collect::<Vec<_>>(), whole.bytes());
    assert_eq!(whole.parts().collect::<Vec<_>>(), [Part::Bytes(whole.bytes())]);
}

#[test]
fn what_is_too_long_is_not_written_at_all() {
    let long = "x".repeat(40_000);
    let request = HeartbeatRequest { group_id: &long, ..HeartbeatRequest::default() };
    for version in [0, 4] {
        let mut writer = Writer::new();
        writer.unsigned_varint(7);
        let result = write_request(&mut writer, 1, None, version, &request);
        assert_eq!(result, Err(EncodeError::FieldTooLong));
        assert_eq!(writer.bytes(), [7]);
        write_request(&mut writer, 1, None, version, &HeartbeatRequest::default()).unwrap();
    }
    let huge = PartitionData { records: Some(Records::Cut { bytes: 1 << 31 }), ..<_>::default() };
    let half = PartitionData { records: Some(Records::Cut { bytes: 1 << 30 }), ..<_>::default() };
    for (partitions, expected) in
        [([huge, half], EncodeError::FieldTooLong), ([half, half], EncodeError::FrameTooLong)]
    {
        let topics =
            [FetchableTopicResponse { partitions: (&partitions).into(), ..<_>::default() }];
        let response = FetchResponse { responses: (&topics).into(), ..FetchResponse::default() };
        let mut writer = Writer::new();
        assert_eq!(write_response(&mut writer, 1, 12, &response), Err(expected));
        assert!(writer.is_empty() && writer.cuts().is_empty());
    }
}

#[test]
fn a_client_and_a_broker_understand_each_other() {
    let mut wire = Writer::new();
    let request = HeartbeatRequest {
        group_id: "readers",
        generation_id: 3,
        member_id: "reader-1",
        ..HeartbeatRequest::default()
    };
    write_request(&mut wire, 17, Some("client"), 4, &request).unwrap();

    let frame = &wire.bytes()[4..];
    let (header, body) = RequestHeader::split_frame(frame).unwrap();
    assert_eq!(header.api(), Some(ApiKey::Heartbeat));
    assert_eq!((header.correlation_id, header.client_id), (17, Some("client")));
    assert_eq!(HeartbeatRequest::decode(body, header.request_api_version), Ok(request));

    let mut answer = Writer::new();
    let error_code = ErrorCode::RebalanceInProgress.code();
    let response = HeartbeatResponse { error_code, ..HeartbeatResponse::default() };
    write_response(&mut answer, header.correlation_id, 4, &response).unwrap();

    let frame = &answer.bytes()[4..];
    let (header, body) = ResponseHeader::split_frame(frame, ApiKey::Heartbeat, 4).unwrap();
    assert_eq!(header.correlation_id, 17);
    assert_eq!(HeartbeatResponse::decode(body, 4), Ok(response));
}

#[test]
fn headers_are_read_whatever_is_asked() {
    let header = |key: i16, version: i16, tail: &[u8]| {
        let mut frame = Vec::new();
        frame.extend(key.to_be_bytes());
        frame.extend(version.to_be_bytes());
        frame.extend([0, 0, 0, 9, 0xff, 0xff]);
        frame.extend(tail);
        frame
    };
    let body = |frame: &[u8]| RequestHeader::split_frame(frame).unwrap().1.to_vec();
    // Classic, flexible, a version that is too new, an API that is not defined.
    assert_eq!(body(&header(0, 8, &[1, 2])), [1, 2]);
    assert_eq!(body(&header(0, 9, &[1, 5, 1, 9, 1, 2])), [1, 2]);
    assert_eq!(body(&header(18, 99, &[0, 1, 2])), [1, 2]);
    assert_eq!(body(&header(9_999, 99, &[0, 1, 2])), [0, 1, 2]);
    let frame = header(-1, -1, &[]);
    let (unknown, _) = RequestHeader::split_frame(&frame).unwrap();
    assert_eq!((unknown.api(), unknown.correlation_id), (None, 9));
    assert_eq!(RequestHeader::split_frame(&frame[..7]), Err(DecodeError::Truncated));
}

#[test]
fn the_answer_about_versions_keeps_the_oldest_header() {
    assert_eq!(ApiKey::ApiVersions.request_header_version(3), 2);
    assert_eq!(ApiKey::ApiVersions.response_header_version(3), 0);
    assert_eq!(ApiKey::Produce.response_header_version(9), 1);
    assert_eq!(ApiKey::SaslHandshake.request_header_version(1), 1);
    assert_eq!(<ApiVersionsRequest<'_> as Request<'_>>::API, ApiKey::ApiVersions);
}

#[test]
fn both_forms_of_an_array_are_alike() {
    let bytes = encoded(&MetadataRequest { topics: Some(Array::EMPTY), ..<_>::default() }, 1);
    let decoded = MetadataRequest::decode(&bytes, 1).unwrap().topics.unwrap();
    assert_eq!((decoded.len(), decoded.is_empty()), (0, true));
    assert_eq!(decoded, Array::EMPTY);
    assert_eq!(format!("{decoded:?}"), "[]");
    let iterator = Array::new(&[1, 2, 3]).iter();
    assert_eq!((iterator.len(), iterator.sum::<i32>()), (3, 6));
}

#[test]
fn failures_and_codes_say_what_they_mean() {
    assert_eq!(DecodeError::Truncated.to_string(), "the bytes end within a field");
    assert_eq!(EncodeError::FrameTooLong.to_string(), "the frame is longer than 2^31-1 bytes");
    assert_eq!(ErrorCode::from_code(3), Some(ErrorCode::UnknownTopicOrPartition));
    assert_eq!(ErrorCode::from_code(9_999), None);
    assert!(ErrorCode::NotLeaderOrFollower.is_retriable());
    assert!(!ErrorCode::None.is_error() && ErrorCode::CorruptMessage.is_error());
    assert_eq!(ErrorCode::NotController.to_string(), "NOT_CONTROLLER");
    assert_eq!(ApiKey::ListOffsets.to_string(), "ListOffsets");
}
