//! Settings (a stand-in until the real module is merged).

use core::time::Duration;
use std::collections::BTreeMap;

/// The broker's settings.
#[derive(Clone, Debug)]
pub struct BrokerSettings {
    /// `node.id`.
    pub node_id: i32,
    /// `num.partitions`.
    pub default_partitions: i32,
    /// `default.replication.factor`.
    pub default_replication_factor: i16,
    /// `auto.create.topics.enable`.
    pub auto_create_topics: bool,
    /// `delete.topic.enable`.
    pub delete_topics: bool,
    /// `fetch.max.bytes`.
    pub fetch_bytes_max: u64,
    /// `socket.request.max.bytes`.
    pub request_bytes_max: usize,
    /// `max.incremental.fetch.session.cache.slots`.
    pub fetch_sessions_max: usize,
    /// `connections.max.idle.ms`.
    pub connection_idle_max: Duration,
    /// `segment.bytes` of every topic.
    pub segment_bytes: u64,
}

impl Default for BrokerSettings {
    fn default() -> Self {
        Self {
            node_id: 1,
            default_partitions: 1,
            default_replication_factor: 1,
            auto_create_topics: true,
            delete_topics: true,
            fetch_bytes_max: 55 << 20,
            request_bytes_max: 100 << 20,
            fetch_sessions_max: 1000,
            connection_idle_max: Duration::from_secs(600),
            segment_bytes: 1 << 30,
        }
    }
}

/// A topic's settings, resolved.
#[derive(Clone, Debug)]
pub struct TopicSettings {
    /// `segment.bytes`.
    pub segment_bytes: u64,
    /// `max.message.bytes`.
    pub message_bytes_max: usize,
    /// Acknowledge before the disk.
    pub memory: bool,
    /// `message.timestamp.type`.
    pub log_append_time: bool,
}

impl TopicSettings {
    /// Resolves overrides.
    ///
    /// # Errors
    /// What is wrong.
    pub fn resolve(
        overrides: &BTreeMap<String, String>,
        broker: &BrokerSettings,
    ) -> Result<Self, String> {
        let get = |name: &str| overrides.get(name).map(String::as_str);
        let number = |name: &str, default: u64| match get(name) {
            Some(text) => text.parse().map_err(|_| format!("{name}={text} is no number")),
            None => Ok(default),
        };
        Ok(Self {
            segment_bytes: number("segment.bytes", broker.segment_bytes)?,
            message_bytes_max: number("max.message.bytes", 1_048_588)? as usize,
            memory: get("ack.durability") == Some("memory"),
            log_append_time: get("message.timestamp.type") == Some("LogAppendTime"),
        })
    }
}
