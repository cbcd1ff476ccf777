//! Every setting that is known: those of Kafka 4.3 and Millstream's own, as tables.

mod authorization;
mod compaction;
mod group;
mod groups;
mod identity;
mod metrics;
mod network;
mod own;
mod quorum;
mod quotas;
mod reasons;
mod replication;
mod sasl;
mod share_groups;
mod storage;
mod streams_groups;
mod tiered;
mod tls;
mod topic;
mod topics;
mod transactions;
mod undeclared;

use super::definition::{Definition, Inherited};
use super::nearest::nearest;

static BROKER_TABLES: &[&[Definition]] = &[
    own::BROKER_ROWS,
    identity::ROWS,
    quorum::ROWS,
    topics::ROWS,
    storage::ROWS,
    storage::FLUSH_ROWS,
    compaction::ROWS,
    replication::ROWS,
    network::ROWS,
    groups::ROWS,
    share_groups::ROWS,
    streams_groups::ROWS,
    transactions::ROWS,
    tiered::ROWS,
    tls::ROWS,
    sasl::ROWS,
    sasl::OAUTH_ROWS,
    authorization::ROWS,
    metrics::ROWS,
];

/// Broker settings of which one stands for the others, the first that is set. A dynamic value of
/// one hides the static values of all.
static SYNONYMS: &[&[&str]] = &[
    &["log.retention.ms", "log.retention.minutes", "log.retention.hours"],
    &["log.roll.ms", "log.roll.hours"],
    &["log.roll.jitter.ms", "log.roll.jitter.hours"],
];

/// Settings that a mechanism of a listener may have: `listener.name.<listener>.<mechanism>.<setting>`.
static MECHANISM_SETTINGS: &[&str] = &[
    "sasl.jaas.config",
    "sasl.login.callback.handler.class",
    "sasl.login.class",
    "sasl.server.callback.handler.class",
    "connections.max.reauth.ms",
];

/// The settings of brokers. Those of [`broker_throttles`] are not among them.
pub fn broker_settings() -> impl Iterator<Item = &'static Definition> {
    BROKER_TABLES.iter().flat_map(|table| table.iter())
}

/// The throttles of brokers, which Kafka describes only where they are set.
pub fn broker_throttles() -> &'static [Definition] {
    quotas::BROKER_ROWS
}

/// The settings of topics.
pub fn topic_settings() -> impl Iterator<Item = &'static Definition> {
    own::TOPIC_ROWS.iter().chain(topic::ROWS)
}

/// The settings of groups.
pub fn group_settings() -> &'static [Definition] {
    group::ROWS
}

/// The settings of subscriptions to clients' metrics.
pub fn client_metrics_settings() -> &'static [Definition] {
    quotas::CLIENT_METRICS_ROWS
}

/// The quotas of users and clients.
pub fn client_quotas() -> &'static [Definition] {
    quotas::CLIENT_ROWS
}

/// The quotas of addresses.
pub fn address_quotas() -> &'static [Definition] {
    quotas::ADDRESS_ROWS
}

/// What is known of a broker setting; `listener.name.<listener>.<setting>` is known as `<setting>`.
pub fn broker_setting(name: &str) -> Option<&'static Definition> {
    let name = of_listener(name).unwrap_or(name);
    broker_settings().chain(broker_throttles()).find(|definition| definition.name == name)
}

/// What is known of a topic setting.
pub fn topic_setting(name: &str) -> Option<&'static Definition> {
    topic_settings().find(|definition| definition.name == name)
}

/// What is known of a group setting.
pub fn group_setting(name: &str) -> Option<&'static Definition> {
    group_settings().iter().find(|definition| definition.name == name)
}

/// Why a broker setting without a definition is accepted all the same.
pub(super) fn undeclared_reason(name: &str) -> Option<&'static str> {
    undeclared::reason(name)
}

/// The broker setting that was probably meant by an unknown name.
pub(super) fn nearest_broker_setting(name: &str) -> Option<&'static str> {
    // Settings of topics in a broker's file are the most likely mistake of all.
    let of_topic = topic_setting(name).and_then(|definition| definition.inherited.first());
    of_topic
        .map(|inherited| inherited.name)
        .or_else(|| nearest(name, broker_settings().map(|definition| definition.name)))
}

/// The topic setting that was probably meant by an unknown name.
pub(super) fn nearest_topic_setting(name: &str) -> Option<&'static str> {
    let inherits = |definition: &&Definition| {
        definition.inherited.iter().any(|Inherited { name: broker, .. }| *broker == name)
    };
    topic_settings()
        .find(inherits)
        .map(|definition| definition.name)
        .or_else(|| nearest(name, topic_settings().map(|definition| definition.name)))
}

/// The group setting that was probably meant by an unknown name.
pub(super) fn nearest_group_setting(name: &str) -> Option<&'static str> {
    nearest(name, group_settings().iter().map(|definition| definition.name))
}

/// The names under which a broker setting's value is looked up, in order.
pub(super) fn synonyms(name: &str) -> Vec<&str> {
    if let Some(setting) = of_listener(name) {
        return vec![name, setting];
    }
    match hidden_by(name) {
        [] => vec![name],
        names => names.to_vec(),
    }
}

/// The settings of which values given at start do not count while this one is altered.
pub(super) fn hidden_by(name: &str) -> &'static [&'static str] {
    match name {
        // Kafka treats these two so in one direction only.
        "log.flush.interval.ms" => &["log.flush.interval.ms", "log.flush.scheduler.interval.ms"],
        _ => SYNONYMS.iter().find(|names| names.contains(&name)).copied().unwrap_or_default(),
    }
}

/// The setting in `listener.name.<listener>.<setting>`, whose listener may have a mechanism.
fn of_listener(name: &str) -> Option<&str> {
    let (_, setting) = name.strip_prefix("listener.name.")?.split_once('.')?;
    let of_mechanism = MECHANISM_SETTINGS.iter().find(|known| setting.ends_with(*known));
    Some(of_mechanism.unwrap_or(&setting))
}
