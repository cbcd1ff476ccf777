//! Settings of brokers, topics and groups under Kafka's names: which there are, what they mean, how
//! files and clients give them values, and what all of it amounts to.
//!
//! Everything comes in as text: nothing here reads a file, the environment or a clock.

mod alteration;
mod broker;
mod client_metrics;
mod definition;
mod definitions;
mod describe;
mod error;
mod group;
mod iso_duration;
mod layers;
mod listener;
mod nearest;
mod properties;
mod quota;
mod reader;
mod topic;
mod value;

pub use alteration::{Operation, Unalterable, altered_list, check_alterable};
pub use broker::{
    BrokerSettings, ClassicGroups, CompactionSettings, ConsumerGroups, LogFormat, Machine,
    NetworkSettings, OffsetSettings, OperationSettings, QuotaSettings, Resolved, Sources,
    StorageSettings, TopicCreation, Validation,
};
pub use client_metrics::ClientMetricsSettings;
pub use definition::{Allowed, Definition, Effect, Inherited, Kind, Update};
pub use definitions::{
    address_quotas, broker_setting, broker_settings, broker_throttles, client_metrics_settings,
    client_quotas, group_setting, group_settings, topic_setting, topic_settings,
};
pub use describe::{
    Described, Source, Synonym, describe_broker, describe_broker_defaults, describe_client_metrics,
    describe_group, describe_topic,
};
pub use error::{Notice, Place, SettingError, SettingErrors};
pub use group::{
    GroupSettings, MemberSettings, OffsetReset, ShareGroupSettings, StreamsGroupSettings,
};
pub use listener::{Endpoint, Listener, SecurityProtocol};
pub use properties::{Properties, PropertiesError, Property};
pub use quota::{check_quota, quota};
pub use topic::{
    CleanupSettings, Compression, Durability, SegmentSettings, Timestamps, TopicSettings,
};
pub use value::Value;
