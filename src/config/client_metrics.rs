//! Subscriptions to clients' metrics (KIP-714): which clients send what, and how often.

use core::time::Duration;
use std::collections::BTreeMap;

use regex::Regex;

use super::definitions;
use super::error::{self, Place, SettingError};
use super::reader;
use super::value::Value;

const INTERVAL_MS_MIN: i64 = 100;
const INTERVAL_MS_MAX: i64 = 3_600_000;
/// A pattern's program is at most this large; a client's name is matched in time linear in it.
const PATTERN_BYTES_MAX: usize = 64 << 10;

/// What a subscription can choose clients by.
const ATTRIBUTES: [&str; 6] = [
    "client_id",
    "client_instance_id",
    "client_software_name",
    "client_software_version",
    "client_source_address",
    "client_source_port",
];

/// A subscription.
#[derive(Clone, Debug)]
pub struct ClientMetricsSettings {
    /// How often a client sends.
    pub interval: Duration,
    /// The beginnings of the names of what it sends; `*` is all.
    pub metrics: Vec<String>,
    /// Patterns for attributes of the client; all have to match.
    patterns: Vec<(String, Regex)>,
}

impl ClientMetricsSettings {
    /// Resolves a subscription's own settings, as Kafka does when they are written.
    ///
    /// # Errors
    /// The first setting that cannot be.
    pub fn resolve(own: &BTreeMap<String, String>) -> Result<Self, SettingError> {
        let known = definitions::client_metrics_settings();
        let unknown = own.keys().find(|name| known.iter().all(|row| row.name != **name));
        if let Some(name) = unknown {
            return Err(SettingError::new(Place::Request, name, None, error::unknown(None)));
        }
        let mut settings =
            Self { interval: Duration::ZERO, metrics: Vec::new(), patterns: Vec::new() };
        for definition in known {
            let name = definition.name;
            let text = own.get(name).map(String::as_str).or(definition.default).unwrap_or_default();
            match reader::parse(definition, name, text, &Place::Request)? {
                Value::Whole(interval) => settings.interval = checked_interval(name, interval)?,
                Value::List(items) if name == "metrics" => settings.metrics = items,
                Value::List(items) => {
                    settings.patterns =
                        items.iter().map(|item| pattern(name, item)).collect::<Result<_, _>>()?;
                }
                other => panic!("{name} is not {other:?}"),
            }
        }
        Ok(settings)
    }

    /// Whether the subscription is for a client, whose attributes are asked for by name.
    pub fn matches<'a>(&self, attribute: impl Fn(&str) -> Option<&'a str>) -> bool {
        let matches = |(name, pattern): &(String, Regex)| {
            attribute(name).is_some_and(|value| pattern.is_match(value))
        };
        self.patterns.iter().all(matches)
    }
}

fn checked_interval(name: &str, interval: i64) -> Result<Duration, SettingError> {
    if !(INTERVAL_MS_MIN..=INTERVAL_MS_MAX).contains(&interval) {
        let problem = format!("expected {INTERVAL_MS_MIN} to {INTERVAL_MS_MAX} milliseconds");
        let value = interval.to_string();
        return Err(SettingError::new(Place::Request, name, Some(&value), problem));
    }
    Ok(Duration::from_millis(interval.unsigned_abs()))
}

/// `attribute=pattern`, the pattern for the whole of the attribute.
fn pattern(name: &str, item: &str) -> Result<(String, Regex), SettingError> {
    let refused = || {
        let names = ATTRIBUTES.join(", ");
        let problem = format!("expected attribute=pattern, the attribute being one of {names}");
        SettingError::new(Place::Request, name, Some(item), problem)
    };
    let (attribute, pattern) = item.split_once('=').ok_or_else(refused)?;
    let (attribute, pattern) = (attribute.trim(), pattern.trim());
    let whole = format!("^(?:{pattern})$");
    let pattern = regex::RegexBuilder::new(&whole).size_limit(PATTERN_BYTES_MAX).build();
    match pattern {
        Ok(pattern) if ATTRIBUTES.contains(&attribute) => Ok((attribute.to_owned(), pattern)),
        _ => Err(refused()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(own: &[(&str, &str)]) -> Result<ClientMetricsSettings, String> {
        let own = own.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        ClientMetricsSettings::resolve(&own.collect()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_subscription_is_for_clients_that_match_all_its_patterns() {
        let all = resolved(&[]).unwrap();
        assert_eq!((all.interval.as_millis(), all.metrics.len()), (300_000, 0));
        assert!(all.matches(|_| None));
        let some = [("match", "client_id=a.*,client_software_name=java"), ("metrics", "x.,y")];
        let some = resolved(&some).unwrap();
        assert_eq!(some.metrics, ["x.", "y"]);
        let client = |id: &'static str, software: &'static str| {
            some.matches(|name| Some(if name == "client_id" { id } else { software }))
        };
        assert!(client("ab", "java") && !client("ba", "java") && !client("ab", "javac"));
        assert!(!some.matches(|_| None));
    }

    #[test]
    fn what_is_no_subscription_is_refused() {
        for (name, value, words) in [
            ("interval.ms", "99", "100 to 3600000"),
            ("interval.ms", "x", "whole number"),
            ("match", "client_id", "attribute=pattern"),
            ("match", "colour=red", "attribute=pattern"),
            ("match", "client_id=[", "attribute=pattern"),
            ("match", "client_id=(a{1000}){1000}", "attribute=pattern"),
            ("nope", "1", "unknown setting"),
        ] {
            let error = resolved(&[(name, value)]).unwrap_err();
            assert!(error.contains(words), "{name}={value}: {error}");
        }
    }
}
