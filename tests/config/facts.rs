//! Reading the facts, and brokers to compare with them.

use std::collections::BTreeMap;

use millstream::config::{
    BrokerSettings, Kind, Machine, Properties, Resolved, SettingErrors, Sources,
};

pub const MACHINE: Machine = Machine { memory_bytes: 8 << 30, cores: 2 };

/// The rows of a file of facts, split at tabs.
pub fn rows(text: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    text.lines().map(|line| line.split('\t').collect())
}

/// A broker from the text of a file.
pub fn start(text: &str) -> Result<Resolved, SettingErrors> {
    let file = Properties::parse("server.properties", text).unwrap();
    let sources = Sources { file: Some(&file), overrides: &[], machine: MACHINE, strict: false };
    BrokerSettings::resolve(&sources)
}

/// A broker from `name=value` on its command line.
pub fn given(overrides: &[&str]) -> Result<BrokerSettings, SettingErrors> {
    let sources = Sources { file: None, overrides, machine: MACHINE, strict: false };
    Ok(BrokerSettings::resolve(&sources)?.settings)
}

/// Settings by name.
pub fn map(settings: &[(&str, &str)]) -> BTreeMap<String, String> {
    settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// What Kafka calls a type.
pub fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Boolean => "BOOLEAN",
        Kind::Text => "STRING",
        Kind::Int => "INT",
        Kind::Short => "SHORT",
        Kind::Long => "LONG",
        Kind::Double => "DOUBLE",
        Kind::List => "LIST",
        Kind::Class => "CLASS",
        Kind::Password => "PASSWORD",
    }
}
