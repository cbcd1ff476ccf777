//! Levels of features (KIP-584): which versions of what the whole cluster speaks.

use core::fmt;
use std::collections::BTreeMap;

use super::{Answer, Decision};
use crate::metadata::{Image, MetadataRecord};

/// A feature that this version knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Feature {
    /// Kafka's name for it.
    pub name: &'static str,
    /// The lowest level; 0 would be off.
    pub level_min: i16,
    /// The highest, which new clusters have.
    pub level_max: i16,
}

/// All features. Clients choose protocols by what is here, so a feature comes when it is complete.
///
/// The levels of `metadata.version` are those of Kafka 4.3, from 3.3-IV3 to 4.3-IV0: records here
/// have a format of their own, which any of them names as well.
pub const FEATURES: [Feature; 1] =
    [Feature { name: "metadata.version", level_min: 7, level_max: 30 }];

/// A feature's new level.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FeatureUpdate {
    /// Its name.
    pub name: String,
    /// The level; 0 to be without it.
    pub level: i16,
    /// It may be lower than now; none where the request says nothing that is known.
    pub downgrade: Option<bool>,
}

/// Why a feature stays where it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FeatureUpdateError {
    /// The request names it twice.
    Duplicate(String),
    /// This version does not know it.
    Unknown(String),
    /// It does not have this level.
    Level(Feature, i16),
    /// The level is lower, and the request does not allow that.
    Downgrade {
        /// The feature.
        name: String,
        /// Its level.
        present: i16,
    },
    /// It has no lower level that is any different.
    Required(String),
    /// There is no such kind of update.
    Kind(String),
}

impl fmt::Display for FeatureUpdateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duplicate(name) => write!(f, "the request names the feature {name} twice"),
            Self::Unknown(name) => write!(f, "{name} is no feature of this version"),
            Self::Level(Feature { name, level_min, level_max }, level) => {
                write!(f, "{name} has no level {level}: expected {level_min} to {level_max}")
            }
            Self::Downgrade { name, present } => write!(
                f,
                "{name} is at level {present}: a lower one needs a request for a downgrade"
            ),
            Self::Required(name) => write!(f, "no cluster is without {name}"),
            Self::Kind(name) => write!(f, "{name}: there is no such kind of update"),
        }
    }
}

/// Records for features that a cluster has no level of yet.
pub(super) fn missing(image: &Image) -> impl Iterator<Item = MetadataRecord> {
    let missing = FEATURES.iter().filter(|feature| !image.features.contains_key(feature.name));
    missing.map(|feature| MetadataRecord::Feature {
        name: feature.name.to_owned(),
        level: feature.level_max,
    })
}

/// Decides: all updates, or none where one cannot be.
pub(super) fn decide(image: &Image, updates: &[FeatureUpdate], validate_only: bool) -> Decision {
    let mut named = BTreeMap::<&str, usize>::new();
    for update in updates {
        *named.entry(&update.name).or_default() += 1;
    }
    let results: Vec<_> = updates
        .iter()
        .map(|update| match named[update.name.as_str()] {
            1 => check(image, update),
            _ => Err(FeatureUpdateError::Duplicate(update.name.clone())),
        })
        .collect();
    let mut records = Vec::new();
    if !validate_only && results.iter().all(Result::is_ok) {
        let changed = updates
            .iter()
            .filter(|update| image.features.get(&update.name).copied() != Some(update.level));
        records.extend(changed.map(|update| MetadataRecord::Feature {
            name: update.name.clone(),
            level: update.level,
        }));
    }
    Decision { records, answer: Answer::FeaturesUpdated(results) }
}

fn check(image: &Image, update: &FeatureUpdate) -> Result<(), FeatureUpdateError> {
    let name = &update.name;
    let feature = FEATURES.iter().find(|feature| feature.name == *name);
    let feature = feature.ok_or_else(|| FeatureUpdateError::Unknown(name.clone()))?;
    let downgrade = update.downgrade.ok_or_else(|| FeatureUpdateError::Kind(name.clone()))?;
    if update.level == 0 {
        return Err(FeatureUpdateError::Required(name.clone()));
    }
    if !(feature.level_min..=feature.level_max).contains(&update.level) {
        return Err(FeatureUpdateError::Level(*feature, update.level));
    }
    let present = image.features.get(name).copied().unwrap_or(0);
    if update.level < present && !downgrade {
        return Err(FeatureUpdateError::Downgrade { name: name.clone(), present });
    }
    Ok(())
}
