//! What DescribeConfigs answers: each setting with its value, where that comes from, and what else
//! it could come from, as Kafka 4.3 describes them.

use std::collections::{BTreeMap, BTreeSet};

use super::broker::BrokerSettings;
use super::definition::{Definition, Kind, Update};
use super::definitions;
use super::group;
use super::layers::Layers;
use super::topic;
use super::value::Value;

/// Where a value comes from, the strongest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Source {
    /// The topic's own settings.
    Topic,
    /// The group's own settings.
    Group,
    /// The subscription's own settings.
    ClientMetrics,
    /// What was altered for this broker.
    DynamicBroker,
    /// What was altered for all brokers.
    DynamicDefault,
    /// The file or the command line.
    Static,
    /// The table.
    Default,
}

/// A value that a setting has from one source, whether it counts or not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Synonym {
    /// The name under which it is given there.
    pub name: String,
    /// The value; none where it is sensitive.
    pub value: Option<String>,
    /// The source.
    pub source: Source,
}

/// A setting as it is described.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Described {
    /// Its name.
    pub name: String,
    /// Its value; none where it is null or sensitive.
    pub value: Option<String>,
    /// Where the value comes from.
    pub source: Source,
    /// Whether it can only be changed with a restart.
    pub read_only: bool,
    /// Whether its value is never shown.
    pub sensitive: bool,
    /// The type of its value; none where the setting is unknown.
    pub kind: Option<Kind>,
    /// All values it could have, the one that counts first.
    pub synonyms: Vec<Synonym>,
    /// What it means, where that is known.
    pub documentation: Option<&'static str>,
}

/// Describes the settings of one broker whose names are `wanted`.
pub fn describe_broker(settings: &BrokerSettings, wanted: impl Fn(&str) -> bool) -> Vec<Described> {
    let layers = settings.layers();
    let mut names = BTreeSet::new();
    names.extend(definitions::broker_settings().filter(|row| !row.internal).map(|row| row.name));
    names.extend(layers.effective().map(|(name, _)| name));
    names.into_iter().filter(|name| wanted(name)).map(|name| of_broker(layers, name)).collect()
}

/// Describes what was altered for all brokers, as far as the names are `wanted`.
pub fn describe_broker_defaults(
    settings: &BrokerSettings,
    wanted: impl Fn(&str) -> bool,
) -> Vec<Described> {
    let layers = settings.layers();
    let names = layers.for_all().keys().filter(|name| wanted(name));
    names
        .map(|name| {
            let mut described = of_broker(layers, name);
            described.synonyms.retain(|synonym| synonym.source == Source::DynamicDefault);
            if !described.sensitive {
                described.value = layers.for_all().get(name).cloned();
            }
            described.source = Source::DynamicDefault;
            described
        })
        .collect()
}

/// Describes the settings of one topic whose names are `wanted`.
pub fn describe_topic(
    settings: &BrokerSettings,
    overrides: &BTreeMap<String, String>,
    wanted: impl Fn(&str) -> bool,
) -> Vec<Described> {
    let layers = settings.layers();
    let describe = |definition: &'static Definition| {
        let found = topic::value_of(layers, overrides, definition);
        let mut value = found.map(|found| canonical(definition, &found.text));
        let mut synonyms = own(overrides, definition, Source::Topic);
        if definition.name == "ack.durability"
            && let Some(flush) = flush_as_durability(overrides)
        {
            if synonyms.is_empty() {
                value = Some("disk".to_owned());
            }
            synonyms.push(flush);
        }
        let inherited = definition.inherited.first();
        synonyms.extend(inherited.into_iter().flat_map(|from| of_layers(layers, from.name)));
        known(definition, value, synonyms)
    };
    let all = definitions::topic_settings().filter(|definition| is_shown(definition, overrides));
    all.filter(|definition| wanted(definition.name)).map(describe).collect()
}

/// Describes the settings of one group whose names are `wanted`.
pub fn describe_group(
    settings: &BrokerSettings,
    overrides: &BTreeMap<String, String>,
    wanted: impl Fn(&str) -> bool,
) -> Vec<Described> {
    let layers = settings.layers();
    let describe = |definition: &'static Definition| {
        let found = group::value_of(layers, overrides, definition);
        let value = found.map(|found| canonical(definition, &found.text));
        let mut synonyms = own(overrides, definition, Source::Group);
        match definition.inherited.first() {
            Some(from) => synonyms.extend(of_layers(layers, from.name)),
            None => synonyms.extend(default_synonym(definition.name, definition.default)),
        }
        known(definition, value, synonyms)
    };
    let all = definitions::group_settings().iter();
    all.filter(|definition| wanted(definition.name)).map(describe).collect()
}

/// Describes the settings of a subscription to clients' metrics whose names are `wanted`.
pub fn describe_client_metrics(
    overrides: &BTreeMap<String, String>,
    wanted: impl Fn(&str) -> bool,
) -> Vec<Described> {
    let describe = |definition: &'static Definition| {
        let text = overrides.get(definition.name).map(String::as_str).or(definition.default);
        let value = text.map(|text| canonical(definition, text));
        known(definition, value, own(overrides, definition, Source::ClientMetrics))
    };
    let all = definitions::client_metrics_settings().iter();
    all.filter(|definition| wanted(definition.name)).map(describe).collect()
}

fn is_shown(definition: &Definition, overrides: &BTreeMap<String, String>) -> bool {
    !definition.internal || overrides.contains_key(definition.name)
}

fn known(definition: &Definition, value: Option<String>, synonyms: Vec<Synonym>) -> Described {
    let sensitive = definition.is_sensitive();
    Described {
        name: definition.name.to_owned(),
        value: value.filter(|_| !sensitive),
        source: synonyms.first().map_or(Source::Default, |synonym| synonym.source),
        read_only: definition.update == Update::ReadOnly,
        sensitive,
        kind: Some(definition.kind),
        synonyms,
        documentation: Some(definition.documentation),
    }
}

/// A broker's setting under any name, known or not. Settings of single listeners cannot be altered,
/// and what is unknown may be a secret.
fn of_broker(layers: &Layers, name: &str) -> Described {
    let synonyms = of_layers(layers, name);
    match definitions::broker_setting(name) {
        Some(definition) if definition.name == name => {
            let value = layers.text(definition).map(|text| canonical(definition, text));
            known(definition, value, synonyms)
        }
        Some(definition) => {
            let value = layers.given(name).map(|given| given.text.clone());
            let described = known(definition, value, synonyms);
            Described { name: name.to_owned(), read_only: true, ..described }
        }
        None => Described {
            name: name.to_owned(),
            value: None,
            source: synonyms.first().map_or(Source::Default, |synonym| synonym.source),
            read_only: true,
            sensitive: true,
            kind: None,
            synonyms,
            documentation: None,
        },
    }
}

/// What a broker's setting is given by each layer, under its own name and its synonyms. Kafka
/// leaves out what stands in front of the setting's own name, although that may be what counts.
fn of_layers(layers: &Layers, name: &str) -> Vec<Synonym> {
    let names = definitions::synonyms(name);
    let mut synonyms = Vec::new();
    let mut add = |source: Source, text: &dyn Fn(&str) -> Option<String>| {
        for name in &names {
            let Some(value) = text(name) else { continue };
            let shown = definitions::broker_setting(name).is_some_and(|row| !row.is_sensitive());
            let value = shown.then_some(value);
            synonyms.push(Synonym { name: (*name).to_owned(), value, source });
        }
    };
    add(Source::DynamicBroker, &|name| layers.for_this().get(name).cloned());
    add(Source::DynamicDefault, &|name| layers.for_all().get(name).cloned());
    add(Source::Static, &|name| layers.fixed(name).map(str::to_owned));
    add(Source::Default, &|name| {
        let definition = definitions::broker_settings().find(|row| row.name == name)?;
        layers.default_of(definition).map(str::to_owned)
    });
    let own = synonyms.iter().position(|synonym| synonym.name == name);
    synonyms.drain(..own.unwrap_or(synonyms.len()));
    synonyms
}

/// What a topic, group or subscription itself says, in Kafka's own form.
fn own(
    overrides: &BTreeMap<String, String>,
    definition: &Definition,
    source: Source,
) -> Vec<Synonym> {
    let text = overrides.get(definition.name);
    let synonym = text.map(|text| Synonym {
        name: definition.name.to_owned(),
        value: Some(canonical(definition, text)),
        source,
    });
    synonym.into_iter().collect()
}

fn default_synonym(name: &str, default: Option<&str>) -> Option<Synonym> {
    let value = Some(default?.to_owned());
    Some(Synonym { name: name.to_owned(), value, source: Source::Default })
}

/// `flush.messages=1` stands in for `ack.durability=disk`.
fn flush_as_durability(overrides: &BTreeMap<String, String>) -> Option<Synonym> {
    let definition = definitions::topic_setting("flush.messages").expect("a topic setting");
    let each = |synonym: &Synonym| synonym.value.as_deref() == Some("1");
    own(overrides, definition, Source::Topic).into_iter().find(each)
}

/// The value in the form in which Kafka shows it. What cannot be read any more is shown as it is.
fn canonical(definition: &Definition, text: &str) -> String {
    Value::parse(definition, text).map_or_else(|_| text.to_owned(), |value| value.to_string())
}
