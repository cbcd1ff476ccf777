//! How the broker is watched: its admin port and its log.

use std::net::SocketAddr;

use crate::config::error::SettingError;
use crate::config::reader::Reader;

/// How lines of the log look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object each.
    Json,
}

/// How the broker is watched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OperationSettings {
    /// Where metrics and health are served; none for nowhere.
    pub admin_address: Option<SocketAddr>,
    /// Somebody chose that address, so that no other one will do.
    pub admin_is_chosen: bool,
    /// How lines of the log look.
    pub log_format: LogFormat,
    /// The least that is logged, as `tracing` names it.
    pub log_level: String,
}

pub(super) fn read(reader: &Reader<'_>) -> Result<OperationSettings, SettingError> {
    let json = reader.text("log.format")? == "json";
    Ok(OperationSettings {
        admin_address: admin_address(reader)?,
        admin_is_chosen: !reader.is_default("admin.listen"),
        log_format: if json { LogFormat::Json } else { LogFormat::Text },
        log_level: reader.text("log.level")?,
    })
}

fn admin_address(reader: &Reader<'_>) -> Result<Option<SocketAddr>, SettingError> {
    let text = reader.text("admin.listen")?;
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        let problem = "expected an address and a port, such as 127.0.0.1:9644, or nothing";
        reader.refuse("admin.listen", problem.to_owned())
    })
}
