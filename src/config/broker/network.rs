//! Connections, and sizes of requests and answers.

use core::time::Duration;
use std::collections::BTreeMap;

use crate::config::error::SettingError;
use crate::config::reader::Reader;

/// Connections, and sizes of requests and answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NetworkSettings {
    /// The largest request that is read.
    pub request_bytes_max: usize,
    /// The most bytes in one answer to a fetch.
    pub fetch_bytes_max: u64,
    /// Fetch sessions that are remembered.
    pub fetch_sessions_max: usize,
    /// Partitions in one answer to DescribeTopicPartitions.
    pub partitions_described_max: usize,
    /// The most bytes of metrics that a client may send at a time.
    pub telemetry_bytes_max: i32,
    /// Connections that are open at a time.
    pub connections_max: u32,
    /// Connections that one address may have open at a time.
    pub connections_per_ip_max: u32,
    /// Other numbers for single addresses or host names.
    pub connections_per_ip_overrides: BTreeMap<String, u32>,
    /// Connections that are accepted in a second.
    pub connections_per_second_max: u32,
    /// How long a silent connection stays open; none for ever.
    pub idle_max: Option<Duration>,
    /// Connections that may wait to be accepted.
    pub backlog: u32,
    /// The send buffer of a socket; none for the system's own.
    pub send_buffer_bytes: Option<u32>,
    /// The receive buffer of a socket; none for the system's own.
    pub receive_buffer_bytes: Option<u32>,
}

pub(super) fn read(reader: &Reader<'_>) -> Result<NetworkSettings, SettingError> {
    let settings = NetworkSettings {
        request_bytes_max: reader.whole("socket.request.max.bytes")?,
        fetch_bytes_max: reader.whole("fetch.max.bytes")?,
        fetch_sessions_max: reader.whole("max.incremental.fetch.session.cache.slots")?,
        partitions_described_max: reader.whole("max.request.partition.size.limit")?,
        telemetry_bytes_max: reader.whole("telemetry.max.bytes")?,
        connections_max: reader.whole("max.connections")?,
        connections_per_ip_max: reader.whole("max.connections.per.ip")?,
        connections_per_ip_overrides: per_ip_overrides(reader)?,
        connections_per_second_max: reader.whole("max.connection.creation.rate")?,
        idle_max: reader.millis_or_none("connections.max.idle.ms")?,
        backlog: reader.whole("socket.listen.backlog.size")?,
        send_buffer_bytes: reader.whole_or_none("socket.send.buffer.bytes")?,
        receive_buffer_bytes: reader.whole_or_none("socket.receive.buffer.bytes")?,
    };
    if settings.connections_per_ip_max == 0 && settings.connections_per_ip_overrides.is_empty() {
        let words = "expected a number from 1 while max.connections.per.ip.overrides is not set";
        return Err(reader.refuse("max.connections.per.ip", words.to_owned()));
    }
    Ok(settings)
}

/// `address:number,address:number`.
fn per_ip_overrides(reader: &Reader<'_>) -> Result<BTreeMap<String, u32>, SettingError> {
    const SETTING: &str = "max.connections.per.ip.overrides";
    let text = reader.text(SETTING)?;
    let mut overrides = BTreeMap::new();
    for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
        let parsed = entry.rsplit_once(':').and_then(|(address, number)| {
            let number: i32 = number.trim().parse().ok()?;
            Some((address.trim().to_owned(), u32::try_from(number).ok()?))
        });
        let Some((address, number)) = parsed else {
            let problem = format!("{entry}: expected address:number");
            return Err(reader.refuse(SETTING, problem));
        };
        overrides.insert(address, number);
    }
    Ok(overrides)
}
