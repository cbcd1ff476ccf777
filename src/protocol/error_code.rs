use core::fmt;

macro_rules! retriable {
    (again) => {
        true
    };
    (never) => {
        false
    };
}

/// Rows of code, variant, Kafka's name, whether to try again, meaning.
macro_rules! error_codes {
    ($($code:literal $variant:ident $name:literal $retry:ident $meaning:literal)*) => {
        /// The error codes of the protocol, under Kafka's names.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(i16)]
        pub enum ErrorCode {
            $(#[doc = $meaning] $variant = $code,)*
        }

        impl ErrorCode {
            /// All codes in ascending order.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The error with a code, none for a code from a future version.
            pub const fn from_code(code: i16) -> Option<Self> {
                match code {
                    $($code => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// The name as Kafka spells it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// What it means, in one sentence.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => $meaning,)*
                }
            }

            /// Whether clients send the same request again, perhaps elsewhere.
            pub const fn is_retriable(self) -> bool {
                match self {
                    $(Self::$variant => retriable!($retry),)*
                }
            }
        }
    };
}

impl ErrorCode {
    /// The code on the wire.
    #[inline]
    pub const fn code(self) -> i16 {
        self as i16
    }

    /// Whether this is an error at all.
    #[inline]
    pub fn is_error(self) -> bool {
        self != Self::None
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[rustfmt::skip]
error_codes! {
    -1 UnknownServerError "UNKNOWN_SERVER_ERROR" never "Something failed that has no code of its own."
    0 None "NONE" never "No error."
    1 OffsetOutOfRange "OFFSET_OUT_OF_RANGE" never "The partition does not hold this offset."
    2 CorruptMessage "CORRUPT_MESSAGE" again "A record batch is damaged or malformed."
    3 UnknownTopicOrPartition "UNKNOWN_TOPIC_OR_PARTITION" again "There is no such topic or partition here."
    4 InvalidFetchSize "INVALID_FETCH_SIZE" never "A fetch asks for an impossible number of bytes."
    5 LeaderNotAvailable "LEADER_NOT_AVAILABLE" again "The partition has no leader at the moment."
    6 NotLeaderOrFollower "NOT_LEADER_OR_FOLLOWER" again "This broker is not the replica that was looked for."
    7 RequestTimedOut "REQUEST_TIMED_OUT" again "The request's time ran out before it was done."
    8 BrokerNotAvailable "BROKER_NOT_AVAILABLE" never "The broker is not alive."
    9 ReplicaNotAvailable "REPLICA_NOT_AVAILABLE" again "The partition has no replica here."
    10 MessageTooLarge "MESSAGE_TOO_LARGE" never "A record batch is larger than the topic allows."
    11 StaleControllerEpoch "STALE_CONTROLLER_EPOCH" never "Another controller has taken over."
    12 OffsetMetadataTooLarge "OFFSET_METADATA_TOO_LARGE" never "The text beside a committed offset is too long."
    13 NetworkException "NETWORK_EXCEPTION" again "The connection broke before the answer came."
    14 CoordinatorLoadInProgress "COORDINATOR_LOAD_IN_PROGRESS" again "The coordinator still reads its log."
    15 CoordinatorNotAvailable "COORDINATOR_NOT_AVAILABLE" again "No coordinator can serve this at the moment."
    16 NotCoordinator "NOT_COORDINATOR" again "Another broker coordinates this group or transaction."
    17 InvalidTopicException "INVALID_TOPIC_EXCEPTION" never "The topic's name is malformed, or the topic is out of bounds for this."
    18 RecordListTooLarge "RECORD_LIST_TOO_LARGE" never "The record batches do not fit into a log segment."
    19 NotEnoughReplicas "NOT_ENOUGH_REPLICAS" again "Too few replicas are in sync; nothing was written."
    20 NotEnoughReplicasAfterAppend "NOT_ENOUGH_REPLICAS_AFTER_APPEND" again "Written, but too few replicas are in sync."
    21 InvalidRequiredAcks "INVALID_REQUIRED_ACKS" never "acks is none of -1, 0 and 1."
    22 IllegalGeneration "ILLEGAL_GENERATION" never "The group is in another generation."
    23 InconsistentGroupProtocol "INCONSISTENT_GROUP_PROTOCOL" never "The member shares no protocol with the rest of the group."
    24 InvalidGroupId "INVALID_GROUP_ID" never "The group's name is malformed."
    25 UnknownMemberId "UNKNOWN_MEMBER_ID" never "The group has no such member."
    26 InvalidSessionTimeout "INVALID_SESSION_TIMEOUT" never "The session timeout lies outside of the broker's limits."
    27 RebalanceInProgress "REBALANCE_IN_PROGRESS" never "The group rebalances: the member has to join again."
    28 InvalidCommitOffsetSize "INVALID_COMMIT_OFFSET_SIZE" never "The offsets to commit take too many bytes."
    29 TopicAuthorizationFailed "TOPIC_AUTHORIZATION_FAILED" never "Not allowed on this topic."
    30 GroupAuthorizationFailed "GROUP_AUTHORIZATION_FAILED" never "Not allowed on this group."
    31 ClusterAuthorizationFailed "CLUSTER_AUTHORIZATION_FAILED" never "Not allowed on the cluster."
    32 InvalidTimestamp "INVALID_TIMESTAMP" never "A record's timestamp lies too far from the broker's time."
    33 UnsupportedSaslMechanism "UNSUPPORTED_SASL_MECHANISM" never "The listener does not offer this SASL mechanism."
    34 IllegalSaslState "ILLEGAL_SASL_STATE" never "The request does not fit the state of the SASL exchange."
    35 UnsupportedVersion "UNSUPPORTED_VERSION" never "The broker does not serve this version of the API."
    36 TopicAlreadyExists "TOPIC_ALREADY_EXISTS" never "A topic of this name exists."
    37 InvalidPartitions "INVALID_PARTITIONS" never "An impossible number of partitions."
    38 InvalidReplicationFactor "INVALID_REPLICATION_FACTOR" never "The cluster cannot keep this number of replicas."
    39 InvalidReplicaAssignment "INVALID_REPLICA_ASSIGNMENT" never "The replicas are assigned inconsistently or to unknown brokers."
    40 InvalidConfig "INVALID_CONFIG" never "A setting's value is not valid."
    41 NotController "NOT_CONTROLLER" again "Another node is the controller."
    42 InvalidRequest "INVALID_REQUEST" never "The request contradicts itself or the protocol."
    43 UnsupportedForMessageFormat "UNSUPPORTED_FOR_MESSAGE_FORMAT" never "The stored record format does not support this."
    44 PolicyViolation "POLICY_VIOLATION" never "The cluster's policy forbids this."
    45 OutOfOrderSequenceNumber "OUT_OF_ORDER_SEQUENCE_NUMBER" never "A producer's sequence has a gap."
    46 DuplicateSequenceNumber "DUPLICATE_SEQUENCE_NUMBER" never "A producer's batch was already written, too long ago to know where."
    47 InvalidProducerEpoch "INVALID_PRODUCER_EPOCH" never "The producer's epoch is older than the newest one."
    48 InvalidTxnState "INVALID_TXN_STATE" never "The transaction is not in a state that allows this."
    49 InvalidProducerIdMapping "INVALID_PRODUCER_ID_MAPPING" never "The transactional id belongs to another producer id."
    50 InvalidTransactionTimeout "INVALID_TRANSACTION_TIMEOUT" never "The transaction's timeout is above the broker's limit."
    51 ConcurrentTransactions "CONCURRENT_TRANSACTIONS" again "The transaction before this one is still being completed."
    52 TransactionCoordinatorFenced "TRANSACTION_COORDINATOR_FENCED" never "Another broker has become the transaction coordinator."
    53 TransactionalIdAuthorizationFailed "TRANSACTIONAL_ID_AUTHORIZATION_FAILED" never "Not allowed on this transactional id."
    54 SecurityDisabled "SECURITY_DISABLED" never "The broker has no authorizer."
    55 OperationNotAttempted "OPERATION_NOT_ATTEMPTED" never "Left undone because another part of the request failed."
    56 KafkaStorageError "KAFKA_STORAGE_ERROR" again "The disk failed."
    57 LogDirNotFound "LOG_DIR_NOT_FOUND" never "The broker has no such log directory."
    58 SaslAuthenticationFailed "SASL_AUTHENTICATION_FAILED" never "The credentials were not accepted."
    59 UnknownProducerId "UNKNOWN_PRODUCER_ID" never "The partition remembers nothing of this producer."
    60 ReassignmentInProgress "REASSIGNMENT_IN_PROGRESS" never "The partition is already being moved."
    61 DelegationTokenAuthDisabled "DELEGATION_TOKEN_AUTH_DISABLED" never "The broker has no delegation tokens."
    62 DelegationTokenNotFound "DELEGATION_TOKEN_NOT_FOUND" never "There is no such delegation token."
    63 DelegationTokenOwnerMismatch "DELEGATION_TOKEN_OWNER_MISMATCH" never "Neither owner nor renewer of the token."
    64 DelegationTokenRequestNotAllowed "DELEGATION_TOKEN_REQUEST_NOT_ALLOWED" never "This connection's security is too weak to handle tokens."
    65 DelegationTokenAuthorizationFailed "DELEGATION_TOKEN_AUTHORIZATION_FAILED" never "Not allowed on this delegation token."
    66 DelegationTokenExpired "DELEGATION_TOKEN_EXPIRED" never "The delegation token has expired."
    67 InvalidPrincipalType "INVALID_PRINCIPAL_TYPE" never "Principals of this type are not supported."
    68 NonEmptyGroup "NON_EMPTY_GROUP" never "The group has members."
    69 GroupIdNotFound "GROUP_ID_NOT_FOUND" never "There is no such group."
    70 FetchSessionIdNotFound "FETCH_SESSION_ID_NOT_FOUND" again "The broker no longer knows this fetch session."
    71 InvalidFetchSessionEpoch "INVALID_FETCH_SESSION_EPOCH" again "The fetch session is at another epoch."
    72 ListenerNotFound "LISTENER_NOT_FOUND" again "The leader has no listener of the name through which was asked."
    73 TopicDeletionDisabled "TOPIC_DELETION_DISABLED" never "The cluster does not delete topics."
    74 FencedLeaderEpoch "FENCED_LEADER_EPOCH" again "The leader epoch is older than the broker's."
    75 UnknownLeaderEpoch "UNKNOWN_LEADER_EPOCH" again "The leader epoch is newer than the broker's."
    76 UnsupportedCompressionType "UNSUPPORTED_COMPRESSION_TYPE" never "The records are compressed in a way that this version does not know."
    77 StaleBrokerEpoch "STALE_BROKER_EPOCH" never "The broker has registered again since."
    78 OffsetNotAvailable "OFFSET_NOT_AVAILABLE" again "A new leader does not know its high watermark yet."
    79 MemberIdRequired "MEMBER_ID_REQUIRED" never "Join again with the member id that the answer gives."
    80 PreferredLeaderNotAvailable "PREFERRED_LEADER_NOT_AVAILABLE" again "The preferred replica cannot lead now."
    81 GroupMaxSizeReached "GROUP_MAX_SIZE_REACHED" never "The group has as many members as it may have."
    82 FencedInstanceId "FENCED_INSTANCE_ID" never "Another member has taken over this instance id."
    83 EligibleLeadersNotAvailable "ELIGIBLE_LEADERS_NOT_AVAILABLE" again "No replica may lead now."
    84 ElectionNotNeeded "ELECTION_NOT_NEEDED" again "The right leader is already in place."
    85 NoReassignmentInProgress "NO_REASSIGNMENT_IN_PROGRESS" never "The partition is not being moved."
    86 GroupSubscribedToTopic "GROUP_SUBSCRIBED_TO_TOPIC" never "The group still consumes the topic."
    87 InvalidRecord "INVALID_RECORD" never "A record breaks the rules of its topic."
    88 UnstableOffsetCommit "UNSTABLE_OFFSET_COMMIT" again "A transaction still holds offsets of the group."
    89 ThrottlingQuotaExceeded "THROTTLING_QUOTA_EXCEEDED" again "A quota is used up: try again later."
    90 ProducerFenced "PRODUCER_FENCED" never "A newer producer uses the same transactional id."
    91 ResourceNotFound "RESOURCE_NOT_FOUND" never "The request names something that does not exist."
    92 DuplicateResource "DUPLICATE_RESOURCE" never "The request names the same thing twice."
    93 UnacceptableCredential "UNACCEPTABLE_CREDENTIAL" never "The credential is not one that can be stored."
    94 InconsistentVoterSet "INCONSISTENT_VOTER_SET" never "One of the two sides is not a voter."
    95 InvalidUpdateVersion "INVALID_UPDATE_VERSION" never "The feature cannot go to this level."
    96 FeatureUpdateFailed "FEATURE_UPDATE_FAILED" never "The feature levels could not be changed."
    97 PrincipalDeserializationFailure "PRINCIPAL_DESERIALIZATION_FAILURE" never "A forwarded request's principal is unreadable."
    98 SnapshotNotFound "SNAPSHOT_NOT_FOUND" never "There is no such metadata snapshot."
    99 PositionOutOfRange "POSITION_OUT_OF_RANGE" never "The position lies outside of the snapshot."
    100 UnknownTopicId "UNKNOWN_TOPIC_ID" again "There is no topic with this id here."
    101 DuplicateBrokerRegistration "DUPLICATE_BROKER_REGISTRATION" never "A living broker has this id."
    102 BrokerIdNotRegistered "BROKER_ID_NOT_REGISTERED" never "No broker has registered under this id."
    103 InconsistentTopicId "INCONSISTENT_TOPIC_ID" again "The partition belongs to a topic with another id."
    104 InconsistentClusterId "INCONSISTENT_CLUSTER_ID" never "This is another cluster."
    105 TransactionalIdNotFound "TRANSACTIONAL_ID_NOT_FOUND" never "There is no such transactional id."
    106 FetchSessionTopicIdError "FETCH_SESSION_TOPIC_ID_ERROR" again "A fetch session mixes topic ids and names."
    107 IneligibleReplica "INELIGIBLE_REPLICA" never "A replica may not join the in-sync replicas."
    108 NewLeaderElected "NEW_LEADER_ELECTED" never "Changed, and the change has moved the leader."
    109 OffsetMovedToTieredStorage "OFFSET_MOVED_TO_TIERED_STORAGE" never "The offset is only in tiered storage by now."
    110 FencedMemberEpoch "FENCED_MEMBER_EPOCH" never "The coordinator has fenced the member: give up all partitions and join again."
    111 UnreleasedInstanceId "UNRELEASED_INSTANCE_ID" never "Another member still holds this instance id."
    112 UnsupportedAssignor "UNSUPPORTED_ASSIGNOR" never "The group does not offer this assignor."
    113 StaleMemberEpoch "STALE_MEMBER_EPOCH" never "The member's epoch is old: a heartbeat brings the new one."
    114 MismatchedEndpointType "MISMATCHED_ENDPOINT_TYPE" never "A controller was asked for what brokers answer, or the reverse."
    115 UnsupportedEndpointType "UNSUPPORTED_ENDPOINT_TYPE" never "Endpoints of this type are not known."
    116 UnknownControllerId "UNKNOWN_CONTROLLER_ID" never "No controller has this id."
    117 UnknownSubscriptionId "UNKNOWN_SUBSCRIPTION_ID" never "The telemetry subscription is unknown or outdated."
    118 TelemetryTooLarge "TELEMETRY_TOO_LARGE" never "The client's metrics take more bytes than allowed."
    119 InvalidRegistration "INVALID_REGISTRATION" never "The controller does not accept the broker's registration."
    120 TransactionAbortable "TRANSACTION_ABORTABLE" never "The transaction has to be aborted; the producer can go on."
    121 InvalidRecordState "INVALID_RECORD_STATE" never "The record is not in a state to be acknowledged like this."
    122 ShareSessionNotFound "SHARE_SESSION_NOT_FOUND" again "The broker no longer knows this share session."
    123 InvalidShareSessionEpoch "INVALID_SHARE_SESSION_EPOCH" again "The share session is at another epoch."
    124 FencedStateEpoch "FENCED_STATE_EPOCH" never "The state belongs to another epoch."
    125 InvalidVoterKey "INVALID_VOTER_KEY" never "The voter's key is not that of the receiver."
    126 DuplicateVoter "DUPLICATE_VOTER" never "The node is a voter already."
    127 VoterNotFound "VOTER_NOT_FOUND" never "The node is no voter."
    128 InvalidRegularExpression "INVALID_REGULAR_EXPRESSION" never "The regular expression cannot be parsed."
    129 RebootstrapRequired "REBOOTSTRAP_REQUIRED" never "The client knows an outdated cluster: start over from its bootstrap servers."
    130 StreamsInvalidTopology "STREAMS_INVALID_TOPOLOGY" never "The topology cannot work."
    131 StreamsInvalidTopologyEpoch "STREAMS_INVALID_TOPOLOGY_EPOCH" never "The topology's epoch is not one that can follow."
    132 StreamsTopologyFenced "STREAMS_TOPOLOGY_FENCED" never "The topology's epoch is outdated."
    133 ShareSessionLimitReached "SHARE_SESSION_LIMIT_REACHED" again "The broker has as many share sessions as it may have."
    134 GroupDeletionFailed "GROUP_DELETION_FAILED" never "The group could not be deleted; the text says why."
    135 StreamsTopologyDescriptionUpdateFailed "STREAMS_TOPOLOGY_DESCRIPTION_UPDATE_FAILED" never "The topology's description was not taken; the text says why."
    136 ControllerIdNotRegistered "CONTROLLER_ID_NOT_REGISTERED" never "No controller has registered under this id."
}
