//! Alterations of settings while the broker runs: which settings can be altered, and what a list is
//! after something was added to it or taken from it.

use std::collections::BTreeMap;

use super::definition::{Definition, Kind, Update};
use super::definitions;

/// What an alteration does to a setting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    /// It gets this value.
    Set,
    /// It goes back to its default.
    Delete,
    /// These items are added to its list, unless they are there.
    Append,
    /// These items are taken from its list.
    Subtract,
}

/// Why settings of a broker cannot be altered while it runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unalterable {
    /// It takes a restart.
    Restart(String),
    /// Each broker has its own.
    PerBroker(String),
    /// Each listener has its own.
    PerListener(String),
    /// It is about sockets that are open.
    Listeners(String),
}

impl core::fmt::Display for Unalterable {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Restart(name) => {
                write!(f, "{name} cannot be altered while the broker runs: restart it with another")
            }
            Self::PerBroker(name) => write!(
                f,
                "{name} cannot be altered for all brokers at once: name the id of a broker"
            ),
            Self::PerListener(name) => write!(
                f,
                "{name} can be altered for single listeners only: as listener.name.NAME.{name}"
            ),
            Self::Listeners(name) => {
                write!(f, "{name} takes a restart here, other than in Kafka")
            }
        }
    }
}

/// Checks that settings of a broker, or of all brokers, may be altered; unknown ones may.
///
/// # Errors
/// The first that may not.
pub fn check_alterable(
    settings: &BTreeMap<String, String>,
    for_all: bool,
) -> Result<(), Unalterable> {
    for name in settings.keys() {
        let of_listener = name.starts_with("listener.name.");
        let update = definitions::broker_setting(name).map(|definition| definition.update);
        let is_own = of_listener || update == Some(Update::PerBroker);
        if update == Some(Update::ReadOnly) && !of_listener {
            return Err(Unalterable::Restart(name.clone()));
        }
        if for_all && is_own {
            return Err(Unalterable::PerBroker(name.clone()));
        }
        if update == Some(Update::PerBroker) && name.starts_with("ssl.") {
            return Err(Unalterable::PerListener(name.clone()));
        }
        if matches!(
            name.as_str(),
            "listeners" | "advertised.listeners" | "listener.security.protocol.map"
        ) {
            return Err(Unalterable::Listeners(name.clone()));
        }
    }
    Ok(())
}

/// As many of `given` as go together, those of earlier names first.
pub(super) fn fitting(
    given: &BTreeMap<String, String>,
    go_together: impl Fn(&BTreeMap<String, String>) -> bool,
) -> BTreeMap<String, String> {
    let mut kept = BTreeMap::new();
    for (name, value) in given {
        kept.insert(name.clone(), value.clone());
        if !go_together(&kept) {
            kept.remove(name);
        }
    }
    kept
}

/// A list after items were appended or subtracted; none where the setting is no list. One without a
/// value of its own starts from its default in the table, as in Kafka, not from the broker's.
pub fn altered_list(
    definition: Option<&Definition>,
    current: Option<&str>,
    operation: Operation,
    items: &str,
) -> Option<String> {
    let definition = definition.filter(|definition| definition.kind == Kind::List)?;
    let split = |text: &str| -> Vec<String> {
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        items.map(str::to_owned).collect()
    };
    let mut list = split(current.or(definition.default).unwrap_or_default());
    for item in split(items) {
        match operation {
            Operation::Subtract => list.retain(|known| *known != item),
            _ if list.contains(&item) => {}
            _ => list.push(item),
        }
    }
    Some(list.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_grow_and_shrink_from_their_default() {
        let policy = definitions::topic_setting("cleanup.policy");
        let altered = |current, operation, items| altered_list(policy, current, operation, items);
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(altered(None, Operation::Append, "compact"), text("delete,compact"));
        assert_eq!(altered(Some("compact"), Operation::Append, "compact,"), text("compact"));
        assert_eq!(
            altered(Some("delete, compact"), Operation::Subtract, "delete"),
            text("compact")
        );
        assert_eq!(altered(Some("delete"), Operation::Subtract, "delete,compact"), text(""));
        let number = definitions::topic_setting("retention.ms");
        assert_eq!(altered_list(number, None, Operation::Append, "5"), None);
        assert_eq!(altered_list(None, None, Operation::Append, "5"), None);
    }

    #[test]
    fn what_takes_a_restart_or_one_broker_is_refused() {
        let check = |name: &str, for_all| {
            check_alterable(&[(name.to_owned(), String::new())].into(), for_all)
        };
        for for_all in [false, true] {
            assert_eq!(check("log.retention.ms", for_all), Ok(()));
            assert_eq!(check("something.unknown", for_all), Ok(()));
            let name = "num.partitions".to_owned();
            assert_eq!(check(&name, for_all), Err(Unalterable::Restart(name)));
        }
        let name = "listener.name.plaintext.max.connections".to_owned();
        assert_eq!(check(&name, false), Ok(()));
        assert_eq!(check(&name, true), Err(Unalterable::PerBroker(name)));
        let name = "ssl.keystore.location".to_owned();
        assert_eq!(check(&name, false), Err(Unalterable::PerListener(name.clone())));
        assert_eq!(check(&format!("listener.name.tls.{name}"), false), Ok(()));
        for name in ["listeners", "listener.security.protocol.map"] {
            let refused = Unalterable::Listeners(name.to_owned());
            assert_eq!(check(name, false), Err(refused));
        }
    }
}
