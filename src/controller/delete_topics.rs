//! Deleting topics.

use core::fmt;
use std::collections::BTreeSet;

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
    /// `delete.topic.enable` is false.
    Disabled,
}

impl fmt::Display for DeleteTopicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownName => "there is no topic of this name",
            Self::UnknownId => "there is no topic of this id",
            Self::Duplicate => "the request names the topic twice",
            Self::Disabled => "topics cannot be deleted while delete.topic.enable is false",
        })
    }
}

pub(super) fn decide(image: &Image, policy: &Policy<'_>, topics: &[TopicReference]) -> Decision {
    let mut records: Vec<MetadataRecord> = Vec::new();
    let mut removed = BTreeSet::new();
    let mut results = Vec::new();
    for reference in topics {
        let found = match reference {
            TopicReference::Name(name) => {
                image.topic_named(name).ok_or(DeleteTopicError::UnknownName)
            }
            TopicReference::Id(id) => image.topic(*id).ok_or(DeleteTopicError::UnknownId),
        };
        results.push(found.and_then(|topic| {
            if !policy.deletion_allowed {
                return Err(DeleteTopicError::Disabled);
            }
            if !removed.insert(topic.id) {
                return Err(DeleteTopicError::Duplicate);
            }
            records.push(MetadataRecord::TopicRemoval { id: topic.id });
            Ok((topic.name.to_string(), topic.id))
        }));
    }
    Decision { records, answer: Answer::Deleted(results) }
}
