//! The values that a broker was given, in layers: its file and command line below, what was
//! altered for all brokers above, what was altered for this one on top.

use core::fmt;
use std::collections::BTreeMap;

use super::definition::Definition;
use super::definitions;
use super::error::Place;
use super::reader::Found;

/// A value as it was given.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Given {
    pub(super) text: String,
    pub(super) place: Place,
}

/// All layers of one broker, and what they amount to.
#[derive(Clone, Default, PartialEq)]
pub(super) struct Layers {
    /// Defaults that depend on the machine.
    computed: BTreeMap<&'static str, String>,
    fixed: BTreeMap<String, Given>,
    for_all: BTreeMap<String, String>,
    for_this: BTreeMap<String, String>,
    effective: BTreeMap<String, Given>,
}

impl Layers {
    pub(super) fn new(
        fixed: BTreeMap<String, Given>,
        computed: BTreeMap<&'static str, String>,
    ) -> Self {
        let effective = fixed.clone();
        Self { computed, fixed, effective, ..Self::default() }
    }

    /// The same file and command line under other alterations.
    pub(super) fn altered(
        &self,
        for_all: &BTreeMap<String, String>,
        for_this: &BTreeMap<String, String>,
    ) -> Self {
        let mut effective = self.fixed.clone();
        for (name, text) in for_all.iter().chain(for_this) {
            // `log.retention.ms` set while running has to win over `log.retention.hours`.
            for synonym in definitions::hidden_by(name) {
                effective.remove(*synonym);
            }
            let given = Given { text: text.clone(), place: Place::Request };
            effective.insert(name.clone(), given);
        }
        let (for_all, for_this) = (for_all.clone(), for_this.clone());
        let (computed, fixed) = (self.computed.clone(), self.fixed.clone());
        Self { computed, fixed, for_all, for_this, effective }
    }

    /// The same over another default.
    #[cfg(feature = "simulation")]
    pub(super) fn with_default(&self, name: &'static str, text: String) -> Self {
        let mut layers = self.clone();
        layers.computed.insert(name, text);
        layers
    }

    /// What counts of everything that was given.
    pub(super) fn effective(&self) -> impl Iterator<Item = (&str, &Given)> {
        self.effective.iter().map(|(name, given)| (name.as_str(), given))
    }

    /// The value of a setting that counts, if it was given.
    pub(super) fn given(&self, name: &str) -> Option<&Given> {
        self.effective.get(name)
    }

    /// The default of a setting; none where it is null.
    pub(super) fn default_of(&self, definition: &Definition) -> Option<&str> {
        self.computed.get(definition.name).map(String::as_str).or(definition.default)
    }

    /// The value of a setting: given, or its default.
    pub(super) fn text(&self, definition: &Definition) -> Option<&str> {
        let given = self.given(definition.name).map(|given| given.text.as_str());
        given.or_else(|| self.default_of(definition))
    }

    /// The value of a setting as a [`Reader`](super::reader::Reader) wants it.
    pub(super) fn found(&self, definition: &'static Definition) -> Option<Found> {
        let (name, text) = (definition.name, self.text(definition)?.to_owned());
        let place = self.given(name).map_or(Place::Default, |given| given.place.clone());
        Some(Found { name, text, place })
    }

    pub(super) fn fixed(&self, name: &str) -> Option<&str> {
        self.fixed.get(name).map(|given| given.text.as_str())
    }

    pub(super) fn for_all(&self) -> &BTreeMap<String, String> {
        &self.for_all
    }

    pub(super) fn for_this(&self) -> &BTreeMap<String, String> {
        &self.for_this
    }
}

/// Only names: among the values are passwords.
impl fmt::Debug for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.effective.keys()).finish()
    }
}
