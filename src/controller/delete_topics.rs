//! Deleting topics.

use core::fmt;
use std::collections::BTreeMap;

use super::{Answer, Decision, Policy};
use crate::metadata::{Image, MetadataRecord};
use crate::types::Uuid;

/// A topic by name or by id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TopicReference {
    /// By name.
    Name(String),
    /// By id.
    Id(Uuid),
    /// By both, or by neither.
    Unclear,
}

/// Why a topic is not deleted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeleteTopicError {
    /// There is none of that name.
    UnknownName,
    /// There is none of that id.
    UnknownId,
    /// The request names it twice.
    Duplicate,
    /// The request gives both a name and an id, or neither.
    Unclear,
    /// `delete.topic.enable` is false.
    Disabled,
}

impl fmt::Display for DeleteTopicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownName => "there is no topic of this name",
            Self::UnknownId => "there is no topic of this id",
            Self::Duplicate => "the request names the topic twice",
            Self::Unclear => "a topic is named either by its name or by its id",
            Self::Disabled => "topics cannot be deleted while delete.topic.enable is false",
        })
    }
}

pub(super) fn decide(image: &Image, policy: &Policy<'_>, topics: &[TopicReference]) -> Decision {
    let find = |reference: &TopicReference| match reference {
        TopicReference::Name(name) => image.topic_named(name).ok_or(DeleteTopicError::UnknownName),
        TopicReference::Id(id) => image.topic(*id).ok_or(DeleteTopicError::UnknownId),
        TopicReference::Unclear => Err(DeleteTopicError::Unclear),
    };
    let found: Vec<_> = topics.iter().map(find).collect();
    let mut named = BTreeMap::<Uuid, usize>::new();
    for topic in found.iter().flatten() {
        *named.entry(topic.id).or_default() += 1;
    }
    let mut records: Vec<MetadataRecord> = Vec::new();
    let mut results = Vec::new();
    for found in found {
        results.push(found.and_then(|topic| {
            if !policy.settings.topic_creation.deletion {
                return Err(DeleteTopicError::Disabled);
            }
            if named[&topic.id] > 1 {
                return Err(DeleteTopicError::Duplicate);
            }
            records.push(MetadataRecord::TopicRemoval { id: topic.id });
            Ok((topic.name.to_string(), topic.id))
        }));
    }
    Decision { records, answer: Answer::Deleted(results) }
}
