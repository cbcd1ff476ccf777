//! What a broker is started with, and what is wrong or worth telling about it.

use std::collections::BTreeMap;

use crate::config::definition::Effect;
use crate::config::definitions;
use crate::config::error::{self, Notice, Place, SettingError, SettingErrors};
use crate::config::layers::{Given, Layers};
use crate::config::properties::Properties;
use crate::config::reader;

/// `memory.bytes` on a machine so small that a quarter of it would be less.
const MEMORY_BYTES_MIN: u64 = 256 << 20;
/// More is taken only when it is asked for: memory that is touched for the first time costs more
/// than writing the record (`ARCHITECTURE.md`), and serves only readers that are further behind.
const MEMORY_BYTES_PER_CORE_MAX: u64 = 1 << 30;

const ONE_LISTENER_LIKE_ANOTHER: &str = "listeners have no settings of their own yet";

/// What defaults depend on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Machine {
    /// The memory that the process may use.
    pub memory_bytes: u64,
    /// The processors that it may use.
    pub cores: u16,
}

impl Machine {
    /// `memory.bytes` for a broker that is told to use so many cores; 0 means all.
    fn default_memory_bytes(self, told: u64) -> u64 {
        let cores = if told == 0 { u64::from(self.cores.max(1)) } else { told };
        let most = MEMORY_BYTES_PER_CORE_MAX * cores;
        (self.memory_bytes / 4).clamp(MEMORY_BYTES_MIN, most)
    }
}

/// What a broker is started with.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    /// Its file.
    pub file: Option<&'a Properties>,
    /// `name=value` from the command line, which wins over the file; the last of a name counts.
    pub overrides: &'a [&'a str],
    /// What defaults depend on.
    pub machine: Machine,
    /// Whether an unknown name is an error.
    pub strict: bool,
}

impl Sources<'_> {
    /// What was given, once every value of it is known to be one, and what to tell about it.
    pub(super) fn layers(&self) -> Result<(Layers, Vec<Notice>), SettingErrors> {
        let mut notices = self.duplicates();
        let mut errors = Vec::new();
        let mut given = self.given(&mut errors);
        for (name, Given { text, place }) in &given {
            match self.check(name, text, place) {
                Ok(notice) => notices.extend(notice),
                Err(error) => errors.push(error),
            }
        }
        if !errors.is_empty() {
            errors.sort_by(|one, other| one.place.cmp(&other.place));
            return Err(SettingErrors(errors));
        }
        // As Kafka does, so that both names are described.
        for (name, other) in [("node.id", "broker.id"), ("broker.id", "node.id")] {
            if !given.contains_key(name)
                && let Some(found) = given.get(other)
            {
                given.insert(name.to_owned(), found.clone());
            }
        }
        let told = given.get("cores").and_then(|cores| cores.text.trim().parse().ok());
        let memory_bytes = self.machine.default_memory_bytes(told.unwrap_or(0));
        let computed = BTreeMap::from([("memory.bytes", memory_bytes.to_string())]);
        Ok((Layers::new(given, computed), notices))
    }

    fn duplicates(&self) -> Vec<Notice> {
        let Some(file) = self.file else { return Vec::new() };
        let notice = |(property, counts): (&crate::config::Property, u32)| Notice::Duplicate {
            place: file.place(property.line),
            name: property.name.clone(),
            counts,
        };
        file.duplicates().map(notice).collect()
    }

    fn given(&self, errors: &mut Vec<SettingError>) -> BTreeMap<String, Given> {
        let mut given = BTreeMap::new();
        if let Some(file) = self.file {
            for property in file.counting() {
                let (text, place) = (property.value.clone(), file.place(property.line));
                given.insert(property.name.clone(), Given { text, place });
            }
        }
        for text in self.overrides {
            let place = Place::CommandLine;
            match text.split_once('=') {
                Some((name, text)) => {
                    let text = text.to_owned();
                    given.insert(name.trim().to_owned(), Given { text, place });
                }
                None => {
                    let problem = "expected name=value".to_owned();
                    errors.push(SettingError::new(place, text, None, problem));
                }
            }
        }
        given
    }

    /// Whether a name and its value can be accepted, and what to tell about them.
    fn check(&self, name: &str, text: &str, place: &Place) -> Result<Option<Notice>, SettingError> {
        let no_effect = |reason| {
            let (place, what) = (place.clone(), name.to_owned());
            Ok(Some(Notice::NoEffect { place, what, reason }))
        };
        let Some(definition) = definitions::broker_setting(name) else {
            if let Some(reason) = definitions::undeclared_reason(name) {
                return no_effect(reason);
            }
            let nearest = definitions::nearest_broker_setting(name);
            if self.strict {
                let problem = error::unknown(nearest);
                return Err(SettingError::new(place.clone(), name, None, problem));
            }
            let (place, name) = (place.clone(), name.to_owned());
            return Ok(Some(Notice::Unknown { place, name, nearest }));
        };
        reader::parse(definition, name, text, place)?;
        match definition.effect {
            Effect::NoEffect(reason) => no_effect(reason),
            Effect::Effective if name != definition.name => no_effect(ONE_LISTENER_LIKE_ANOTHER),
            Effect::Effective => Ok(None),
        }
    }
}
