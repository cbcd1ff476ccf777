//! Altering the settings of topics, brokers, groups and subscriptions to clients' metrics.

use core::fmt;
use std::collections::BTreeMap;

use super::{Answer, Batch, Decision, Policy, TOO_LARGE};
use crate::config::{
    self, ClientMetricsSettings, Definition, Effect, GroupSettings, Operation, TopicSettings,
    altered_list, check_alterable,
};
use crate::metadata::{
    Image, InvalidTopicName, MetadataRecord, resource_type, validate_topic_name,
};

/// What happens to one setting.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SettingChange {
    /// The setting's name.
    pub name: String,
    /// What happens; none where the request says nothing that is known.
    pub operation: Option<Operation>,
    /// The value, or the items of a list.
    pub value: Option<String>,
}

/// What happens to the settings of one resource.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Alteration {
    /// Kafka's number for the kind of resource.
    pub resource_type: i8,
    /// The resource's name.
    pub resource: String,
    /// The changes.
    pub changes: Vec<SettingChange>,
    /// Settings without a change go back to their defaults.
    pub replaces: bool,
}

/// Why settings are not altered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AlterSettingsError {
    /// The request cannot be meant so.
    Request(String),
    /// A value cannot be.
    Setting(String),
    /// No topic has such a name.
    TopicName(InvalidTopicName),
    /// The topic does not exist.
    UnknownTopic(String),
    /// The request alters more than one command may.
    TooLarge,
}

impl fmt::Display for AlterSettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(reason) | Self::Setting(reason) => f.write_str(reason),
            Self::TopicName(error) => write!(f, "{error}"),
            Self::UnknownTopic(name) => write!(f, "the topic {name} does not exist"),
            Self::TooLarge => f.write_str(TOO_LARGE),
        }
    }
}

type Settings = BTreeMap<String, String>;

/// All settings of a resource are resolved to check it: a request of 8 MiB could name so many that
/// nobody else is served meanwhile. Kafka's bound is as many changes in one request.
const RESOURCES_MAX: usize = 10_000;
/// As in Kafka: no answer could tell of a longer one.
const VALUE_BYTES_MAX: usize = i16::MAX as usize;

pub(super) fn decide(
    image: &Image,
    policy: &Policy<'_>,
    alterations: &[Alteration],
    validate_only: bool,
) -> Decision {
    let mut named = BTreeMap::<(i8, &str), usize>::new();
    for alteration in alterations {
        *named.entry((alteration.resource_type, &alteration.resource)).or_default() += 1;
    }
    let mut batch = Batch::new();
    let mut results = Vec::new();
    for (index, alteration) in alterations.iter().enumerate() {
        let Alteration { resource_type, resource, .. } = alteration;
        let result = if index >= RESOURCES_MAX {
            Err(AlterSettingsError::TooLarge)
        } else if named[&(*resource_type, resource.as_str())] > 1 {
            Err(request("the request names this resource twice"))
        } else {
            alter(image, policy, alteration)
        };
        results.push(result.and_then(|(before, after)| {
            let fits = batch.add(difference(alteration, &before, &after));
            fits.then_some(()).ok_or(AlterSettingsError::TooLarge)
        }));
    }
    let records = if validate_only { Vec::new() } else { batch.records };
    Decision { records, answer: Answer::Altered(results) }
}

fn request(reason: impl Into<String>) -> AlterSettingsError {
    AlterSettingsError::Request(reason.into())
}

/// The settings of a resource before and after an alteration.
fn alter(
    image: &Image,
    policy: &Policy<'_>,
    alteration: &Alteration,
) -> Result<(Settings, Settings), AlterSettingsError> {
    check_resource(policy, alteration)?;
    check_changes(alteration)?;
    let before = own_settings(image, alteration)?;
    let mut after = if alteration.replaces { Settings::new() } else { before.clone() };
    for change in &alteration.changes {
        let name = &change.name;
        match value_after(alteration.resource_type, change, after.get(name))? {
            Some(value) => drop(after.insert(name.clone(), value)),
            None => drop(after.remove(name)),
        }
    }
    check_settings(image, policy, alteration, &after)?;
    Ok((before, after))
}

fn check_resource(policy: &Policy<'_>, alteration: &Alteration) -> Result<(), AlterSettingsError> {
    let name = alteration.resource.as_str();
    match alteration.resource_type {
        resource_type::TOPIC | resource_type::GROUP | resource_type::CLIENT_METRICS
            if name.is_empty() =>
        {
            Err(request("only brokers have settings for all: give a name"))
        }
        resource_type::TOPIC => validate_topic_name(name).map_err(AlterSettingsError::TopicName),
        resource_type::BROKER if name.is_empty() => Ok(()),
        resource_type::BROKER_LOGGER if alteration.replaces => {
            Err(request("levels of loggers are not replaced as a whole"))
        }
        resource_type::BROKER | resource_type::BROKER_LOGGER => match name.parse::<i32>() {
            Ok(node) if node == policy.broker.get() => Ok(()),
            Ok(_) => Err(request(format!("this is broker {}: ask broker {name}", policy.broker))),
            Err(_) => Err(request(format!("a broker's id is a whole number, not {name:?}"))),
        },
        resource_type::GROUP | resource_type::CLIENT_METRICS => Ok(()),
        other => Err(request(format!("resources of type {other} have no settings"))),
    }
}

fn check_changes(alteration: &Alteration) -> Result<(), AlterSettingsError> {
    let mut named = std::collections::BTreeSet::new();
    for SettingChange { name, operation, value } in &alteration.changes {
        if !named.insert(name) {
            return Err(request(format!("the request alters {name} twice")));
        }
        match operation {
            None => return Err(request(format!("{name}: there is no such operation"))),
            Some(Operation::Delete) => {}
            Some(_) if value.is_none() => {
                return Err(request(format!("{name}: the value is missing")));
            }
            Some(_) => {}
        }
    }
    let changed = alteration.changes.first().filter(|_| {
        // Log levels are those that RUST_LOG had at the start.
        alteration.resource_type == resource_type::BROKER_LOGGER
    });
    match changed {
        Some(change) => {
            let reason = format!("there is no logger {} whose level could be set", change.name);
            Err(AlterSettingsError::Setting(reason))
        }
        None => Ok(()),
    }
}

fn own_settings(image: &Image, alteration: &Alteration) -> Result<Settings, AlterSettingsError> {
    let Alteration { resource_type, resource, .. } = alteration;
    if *resource_type == resource_type::TOPIC {
        let topic = image.topic_named(resource);
        let unknown = || AlterSettingsError::UnknownTopic(resource.clone());
        return Ok((*topic.ok_or_else(unknown)?.settings).clone());
    }
    Ok(image.settings(*resource_type, resource).map(|own| (**own).clone()).unwrap_or_default())
}

fn definition(resource_type: i8, name: &str) -> Option<&'static Definition> {
    match resource_type {
        resource_type::TOPIC => config::topic_setting(name),
        resource_type::BROKER => config::broker_setting(name),
        resource_type::GROUP => config::group_setting(name),
        resource_type::CLIENT_METRICS => {
            config::client_metrics_settings().iter().find(|definition| definition.name == name)
        }
        _ => None,
    }
}

/// The setting or quota that a record gives a value although it does nothing, and why it does
/// nothing.
pub fn without_effect(record: &MetadataRecord) -> Option<(&'static str, &'static str)> {
    let definition = match record {
        MetadataRecord::Setting { resource_type, name, value: Some(_), .. } => {
            definition(*resource_type, name)?
        }
        MetadataRecord::Quota { entity, name, value: Some(_) } => {
            config::quota(name, entity.contains_key("ip"))?
        }
        _ => return None,
    };
    match definition.effect {
        Effect::NoEffect(reason) => Some((definition.name, reason)),
        Effect::Effective => None,
    }
}

fn value_after(
    resource_type: i8,
    change: &SettingChange,
    current: Option<&String>,
) -> Result<Option<String>, AlterSettingsError> {
    let operation = change.operation.expect("checked before");
    let value = change.value.clone().unwrap_or_default();
    match operation {
        Operation::Delete => return Ok(None),
        Operation::Set => return Ok(Some(value)),
        Operation::Append | Operation::Subtract => {}
    }
    // As in Kafka, although subscriptions have lists.
    let has_lists = matches!(resource_type, resource_type::TOPIC | resource_type::BROKER);
    let definition = definition(resource_type, &change.name).filter(|_| has_lists);
    let list = altered_list(definition, current.map(String::as_str), operation, &value);
    let refused = |reason: &str| AlterSettingsError::Setting(format!("{}: {reason}", change.name));
    let list = list.ok_or_else(|| refused("only lists can be appended to or subtracted from"))?;
    if list.len() > VALUE_BYTES_MAX {
        return Err(refused("the value would be longer than 32767 bytes"));
    }
    Ok(Some(list))
}

/// Checks what all settings of the resource would be. Whatever is wrong with a broker's is a wrong
/// request, as in Kafka.
fn check_settings(
    image: &Image,
    policy: &Policy<'_>,
    alteration: &Alteration,
    after: &Settings,
) -> Result<(), AlterSettingsError> {
    let result = match alteration.resource_type {
        resource_type::TOPIC => TopicSettings::resolve(after, policy.settings).map(drop),
        resource_type::GROUP => GroupSettings::resolve(after, policy.settings).map(drop),
        resource_type::CLIENT_METRICS => {
            let error = ClientMetricsSettings::resolve(after).err();
            return error.map_or(Ok(()), |error| match error.name.as_str() {
                "match" => Err(AlterSettingsError::Setting(error.to_string())),
                _ => Err(request(error.to_string())),
            });
        }
        resource_type::BROKER => return check_broker(image, policy, &alteration.resource, after),
        _ => Ok(()),
    };
    result.map_err(|error| AlterSettingsError::Setting(error.to_string()))
}

fn check_broker(
    image: &Image,
    policy: &Policy<'_>,
    resource: &str,
    after: &Settings,
) -> Result<(), AlterSettingsError> {
    check_alterable(after, resource.is_empty()).map_err(|error| request(error.to_string()))?;
    let (own, none) = (policy.broker.to_string(), Settings::new());
    let other = if resource.is_empty() { own.as_str() } else { "" };
    let other = image.settings(resource_type::BROKER, other).map_or(&none, |settings| settings);
    let (for_all, for_this) = if resource.is_empty() { (after, other) } else { (other, after) };
    let check = |for_all, for_this| {
        let altered = policy.settings.altered(for_all, for_this);
        altered.map(drop).map_err(|errors| request(errors.to_string()))
    };
    // What a broker has of its own hides what is wrong with the values for all.
    check(for_all, &none)?;
    check(for_all, for_this)
}

fn difference(alteration: &Alteration, before: &Settings, after: &Settings) -> Vec<MetadataRecord> {
    let record = |name: &String, value: Option<&String>| MetadataRecord::Setting {
        resource_type: alteration.resource_type,
        resource: alteration.resource.clone(),
        name: name.clone(),
        value: value.cloned(),
    };
    let gone = before.keys().filter(|name| !after.contains_key(*name));
    let set = after.iter().filter(|(name, value)| before.get(*name) != Some(value));
    let gone = gone.map(|name| record(name, None));
    gone.chain(set.map(|(name, value)| record(name, Some(value)))).collect()
}
