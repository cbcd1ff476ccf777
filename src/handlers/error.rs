//! The one place where what went wrong becomes one of Kafka's error codes.

use std::borrow::Cow;

use super::peer::AskError;
use super::session::SessionError;
use crate::controller::{
    AlterSettingsError, CreatePartitionsError, CreateTopicError, DeleteTopicError,
    FeatureUpdateError,
};
use crate::coordinator::group::GroupError;
use crate::protocol::ErrorCode;
use crate::record::Invalid;
use crate::store::AppendError;

type Message = Cow<'static, str>;

/// The code and the text for a batch that breaks the rules.
pub(super) fn invalid_batch_code(invalid: Invalid) -> (ErrorCode, Message) {
    let (code, text) = match invalid {
        Invalid::Incomplete => (ErrorCode::InvalidRecord, "there is no complete record batch"),
        Invalid::MoreThanOneBatch => {
            (ErrorCode::InvalidRecord, "a partition's records are more than one batch")
        }
        Invalid::OldFormat => (
            ErrorCode::InvalidRecord,
            "message formats 0 and 1 are not accepted: use a client that writes format 2",
        ),
        Invalid::UnknownFormat => (ErrorCode::CorruptMessage, "there is no such message format"),
        Invalid::Length => (ErrorCode::CorruptMessage, "no batch has this length"),
        Invalid::CodecNotAllowed => (
            ErrorCode::UnsupportedCompressionType,
            "zstd needs version 7 or later of the Produce request",
        ),
        Invalid::UnknownCodec => {
            (ErrorCode::UnsupportedCompressionType, "there is no such compression codec")
        }
        Invalid::BaseOffset => (ErrorCode::InvalidRecord, "the base offset of a batch must be 0"),
        Invalid::TooLarge => {
            (ErrorCode::MessageTooLarge, "the batch is larger than the topic's max.message.bytes")
        }
        Invalid::SectionTooLarge => (
            ErrorCode::MessageTooLarge,
            "the records are larger without their compression than this broker takes",
        ),
        Invalid::Checksum => (ErrorCode::CorruptMessage, "the checksum does not match the batch"),
        Invalid::Attributes => {
            (ErrorCode::InvalidRecord, "the batch has attributes that clients may not set")
        }
        Invalid::Control => (ErrorCode::InvalidRecord, "clients may not write control records"),
        Invalid::Transactional => (
            ErrorCode::TransactionalIdAuthorizationFailed,
            "the batch is transactional, the request is not",
        ),
        Invalid::RecordCount => {
            (ErrorCode::InvalidRecord, "the batch has a senseless record count")
        }
        Invalid::LastOffsetDelta => {
            (ErrorCode::InvalidRecord, "the last offset does not fit the record count")
        }
        Invalid::ProducerId => (ErrorCode::InvalidRecord, "the batch has a senseless producer id"),
        Invalid::ProducerEpoch => {
            (ErrorCode::InvalidProducerEpoch, "the batch has a negative producer epoch")
        }
        Invalid::Sequence => (ErrorCode::InvalidRecord, "the batch has a negative sequence number"),
        Invalid::TimestampType => {
            (ErrorCode::InvalidTimestamp, "clients may not set the timestamp type")
        }
        Invalid::Timestamp => (
            ErrorCode::InvalidTimestamp,
            "a timestamp is too far from the broker's time: see message.timestamp.before.max.ms \
             and message.timestamp.after.max.ms",
        ),
        Invalid::KeyMissing => {
            (ErrorCode::InvalidRecord, "the topic is compacted: every record needs a key")
        }
        Invalid::Record(_) => (ErrorCode::InvalidRecord, "a record is not encoded as it must be"),
        Invalid::Corrupt => (ErrorCode::InvalidRecord, "the records cannot be decompressed"),
    };
    (code, Cow::Borrowed(text))
}

/// The code and the text for a batch that could not be appended.
pub(super) fn append_error_code(error: AppendError) -> (ErrorCode, Message) {
    match error {
        AppendError::NotHere => (
            ErrorCode::NotLeaderOrFollower,
            Cow::Borrowed("the partition is not here: look for its leader again"),
        ),
        AppendError::OutOfOrder => (
            ErrorCode::OutOfOrderSequenceNumber,
            Cow::Borrowed("a sequence number is missing in front of the batch"),
        ),
        AppendError::OldProducerEpoch { current } => (
            ErrorCode::InvalidProducerEpoch,
            Cow::Owned(format!("a producer of epoch {current} has taken over")),
        ),
        AppendError::LargerThanSegment { segment_bytes } => (
            ErrorCode::RecordListTooLarge,
            Cow::Owned(format!(
                "the batch is larger than the topic's segment.bytes, {segment_bytes}"
            )),
        ),
        AppendError::StorageFull => (
            ErrorCode::KafkaStorageError,
            Cow::Borrowed("the broker's disk is full: appends go on when there is space again"),
        ),
        AppendError::Stopping => {
            (ErrorCode::NotLeaderOrFollower, Cow::Borrowed("the broker is stopping"))
        }
    }
}

/// The code for a question that a partition could not answer.
pub(super) fn ask_error_code(error: AskError) -> ErrorCode {
    match error {
        AskError::NotHere => ErrorCode::NotLeaderOrFollower,
        AskError::FencedLeaderEpoch => ErrorCode::FencedLeaderEpoch,
        AskError::UnknownLeaderEpoch => ErrorCode::UnknownLeaderEpoch,
        AskError::OffsetOutOfRange(_) => ErrorCode::OffsetOutOfRange,
        AskError::Storage => ErrorCode::KafkaStorageError,
    }
}

/// The code for a fetch session that cannot go on.
pub(super) fn session_error_code(error: SessionError) -> ErrorCode {
    match error {
        SessionError::NotFound => ErrorCode::FetchSessionIdNotFound,
        SessionError::Epoch => ErrorCode::InvalidFetchSessionEpoch,
        SessionError::TopicIds => ErrorCode::FetchSessionTopicIdError,
    }
}

/// The code for what a group refuses.
pub(super) fn group_error_code(error: GroupError) -> ErrorCode {
    match error {
        GroupError::CoordinatorLoadInProgress => ErrorCode::CoordinatorLoadInProgress,
        GroupError::CoordinatorNotAvailable => ErrorCode::CoordinatorNotAvailable,
        GroupError::NotCoordinator => ErrorCode::NotCoordinator,
        GroupError::InvalidGroupId => ErrorCode::InvalidGroupId,
        GroupError::GroupIdNotFound => ErrorCode::GroupIdNotFound,
        GroupError::NonEmptyGroup => ErrorCode::NonEmptyGroup,
        GroupError::GroupMaxSizeReached => ErrorCode::GroupMaxSizeReached,
        GroupError::GroupSubscribedToTopic => ErrorCode::GroupSubscribedToTopic,
        GroupError::IllegalGeneration => ErrorCode::IllegalGeneration,
        GroupError::InconsistentGroupProtocol => ErrorCode::InconsistentGroupProtocol,
        GroupError::InvalidSessionTimeout => ErrorCode::InvalidSessionTimeout,
        GroupError::MemberIdRequired => ErrorCode::MemberIdRequired,
        GroupError::UnknownMemberId => ErrorCode::UnknownMemberId,
        GroupError::FencedInstanceId => ErrorCode::FencedInstanceId,
        GroupError::RebalanceInProgress => ErrorCode::RebalanceInProgress,
        GroupError::OffsetMetadataTooLarge => ErrorCode::OffsetMetadataTooLarge,
        GroupError::InvalidCommitOffsetSize => ErrorCode::InvalidCommitOffsetSize,
        GroupError::InvalidRequest => ErrorCode::InvalidRequest,
        GroupError::UnknownServerError => ErrorCode::UnknownServerError,
    }
}

/// The code for a topic that was not created.
pub(super) fn create_topic_error_code(error: &CreateTopicError) -> ErrorCode {
    match error {
        CreateTopicError::Exists(_) => ErrorCode::TopicAlreadyExists,
        CreateTopicError::Name(_) | CreateTopicError::Collides { .. } => {
            ErrorCode::InvalidTopicException
        }
        CreateTopicError::Duplicate(_) | CreateTopicError::Request(_) => ErrorCode::InvalidRequest,
        CreateTopicError::Partitions(_) => ErrorCode::InvalidPartitions,
        CreateTopicError::ReplicationFactor { .. } => ErrorCode::InvalidReplicationFactor,
        CreateTopicError::Assignment(_) | CreateTopicError::Numbering => {
            ErrorCode::InvalidReplicaAssignment
        }
        CreateTopicError::Setting(_) => ErrorCode::InvalidConfig,
        CreateTopicError::TooMany | CreateTopicError::TooLarge => ErrorCode::PolicyViolation,
    }
}

/// The code for a topic that was not deleted.
pub(super) fn delete_topic_error_code(error: DeleteTopicError) -> ErrorCode {
    match error {
        DeleteTopicError::UnknownName => ErrorCode::UnknownTopicOrPartition,
        DeleteTopicError::UnknownId => ErrorCode::UnknownTopicId,
        DeleteTopicError::Duplicate | DeleteTopicError::Unclear => ErrorCode::InvalidRequest,
        DeleteTopicError::Disabled => ErrorCode::TopicDeletionDisabled,
    }
}

/// The code for a topic that got no partitions.
pub(super) fn create_partitions_error_code(error: &CreatePartitionsError) -> ErrorCode {
    match error {
        CreatePartitionsError::Duplicate => ErrorCode::InvalidRequest,
        CreatePartitionsError::UnknownTopic => ErrorCode::UnknownTopicOrPartition,
        CreatePartitionsError::NoGrowth { .. } => ErrorCode::InvalidPartitions,
        CreatePartitionsError::Assignments { .. } | CreatePartitionsError::Assignment(_) => {
            ErrorCode::InvalidReplicaAssignment
        }
        CreatePartitionsError::TooMany => ErrorCode::PolicyViolation,
    }
}

/// The code for settings that were not altered.
pub(super) fn alter_settings_error_code(error: &AlterSettingsError) -> ErrorCode {
    match error {
        AlterSettingsError::Request(_) => ErrorCode::InvalidRequest,
        AlterSettingsError::Setting(_) => ErrorCode::InvalidConfig,
        AlterSettingsError::TopicName(_) => ErrorCode::InvalidTopicException,
        AlterSettingsError::UnknownTopic(_) => ErrorCode::UnknownTopicOrPartition,
        AlterSettingsError::TooLarge => ErrorCode::PolicyViolation,
    }
}

/// The code for a feature that stays where it is.
pub(super) fn feature_update_error_code(error: &FeatureUpdateError) -> ErrorCode {
    match error {
        FeatureUpdateError::Duplicate(_) => ErrorCode::InvalidRequest,
        FeatureUpdateError::Unknown(_)
        | FeatureUpdateError::Level(..)
        | FeatureUpdateError::Downgrade { .. }
        | FeatureUpdateError::Required(_)
        | FeatureUpdateError::Kind(_) => ErrorCode::InvalidUpdateVersion,
    }
}
