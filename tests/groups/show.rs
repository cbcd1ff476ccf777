//! Answers as text, with names instead of random member ids.

use std::collections::BTreeMap;

use millstream::coordinator::group::{
    CommittedTopic, DescribedGroup, FetchedGroup, FetchedTopic, GroupError, Joined, Response,
};
use millstream::types::PartitionIndex;

/// `a#1` for the first member id that client `a` got, and so on.
#[derive(Default)]
pub struct Names {
    of_ids: BTreeMap<String, String>,
    ids: BTreeMap<String, String>,
}

impl Names {
    pub fn name(&mut self, id: &str) -> String {
        let Some(end) = id.len().checked_sub(23) else { return format!("{id:?}") };
        if let Some(name) = self.of_ids.get(id) {
            return name.clone();
        }
        let client = &id[..end];
        let number = self.ids.keys().filter(|name| name.starts_with(&format!("{client}#"))).count();
        let name = format!("{client}#{}", number + 1);
        self.of_ids.insert(id.to_owned(), name.clone());
        self.ids.insert(name.clone(), id.to_owned());
        name
    }

    pub fn id(&self, name: &str) -> String {
        self.ids.get(name).cloned().unwrap_or_else(|| name.to_owned())
    }
}

fn text(bytes: &[u8]) -> String {
    match bytes {
        [] => "-".to_owned(),
        bytes => bytes.iter().filter(|b| b.is_ascii_graphic()).map(|b| *b as char).collect(),
    }
}

fn outcome(result: &Result<(), GroupError>) -> String {
    result.map_or_else(|error| format!("{error:?}"), |()| "ok".to_owned())
}

pub fn show(names: &mut Names, response: &Response) -> Vec<String> {
    match response {
        Response::Join(Ok(joined)) => vec![show_joined(names, joined)],
        Response::Join(Err(refused)) => {
            vec![format!("{:?}, id {}", refused.error, names.name(&refused.member_id))]
        }
        Response::Sync(Ok(synced)) => {
            let protocol = synced.protocol.as_deref().unwrap_or("-");
            vec![format!("assigned {}, protocol {protocol}", text(&synced.assignment))]
        }
        Response::Sync(Err(error)) | Response::Leave(Err(error)) => vec![format!("{error:?}")],
        Response::DeleteOffsets(Err(error)) | Response::List(Err(error)) => {
            vec![format!("{error:?}")]
        }
        Response::Heartbeat(result) => vec![outcome(result)],
        Response::Leave(Ok(members)) => members
            .iter()
            .map(|left| {
                let instance = left.instance_id.as_deref().unwrap_or("-");
                let (id, result) = (names.name(&left.member_id), outcome(&left.result));
                format!("{id} instance {instance}: {result}")
            })
            .collect(),
        Response::Commit(topics) => topics.iter().flat_map(show_committed).collect(),
        Response::Fetch(groups) => groups.iter().flat_map(show_fetched).collect(),
        Response::DeleteOffsets(Ok(topics)) => topics
            .iter()
            .flat_map(|topic| show_partitions(&topic.name, &topic.partitions))
            .collect(),
        Response::Describe(groups) => {
            groups.iter().flat_map(|group| show_described(names, group)).collect()
        }
        Response::List(Ok(groups)) => groups
            .iter()
            .map(|group| {
                format!("{} {:?} type {:?}", group.group, group.state, group.protocol_type)
            })
            .collect(),
        Response::Delete(groups) => {
            groups.iter().map(|(group, result)| format!("{group}: {}", outcome(result))).collect()
        }
    }
}

fn show_joined(names: &mut Names, joined: &Joined) -> String {
    let (id, leader) = (names.name(&joined.member_id), names.name(&joined.leader));
    let members: Vec<String> = joined
        .members
        .iter()
        .map(|member| format!("{}={}", names.name(&member.member_id), text(&member.metadata)))
        .collect();
    let skip = if joined.skip_assignment { ", skip assignment" } else { "" };
    let protocol = joined.protocol.as_deref().unwrap_or("-");
    let members =
        if members.is_empty() { String::new() } else { format!(", all {}", members.join(" ")) };
    format!(
        "{id} in generation {}, protocol {protocol}, leader {leader}{members}{skip}",
        joined.generation
    )
}

fn show_partitions(
    name: &str,
    partitions: &[(PartitionIndex, Result<(), GroupError>)],
) -> Vec<String> {
    let show = |(partition, result): &(_, _)| format!("{name}/{partition}: {}", outcome(result));
    partitions.iter().map(show).collect()
}

fn show_committed(topic: &CommittedTopic) -> Vec<String> {
    show_partitions(&topic.name, &topic.partitions)
}

fn show_fetched(group: &FetchedGroup) -> Vec<String> {
    match &group.topics {
        Err(error) => vec![format!("{}: {error:?}", group.group)],
        Ok(topics) if topics.is_empty() => vec![format!("{}: nothing", group.group)],
        Ok(topics) => topics.iter().flat_map(show_offsets).collect(),
    }
}

fn show_offsets(topic: &FetchedTopic) -> Vec<String> {
    let show = |partition: &millstream::coordinator::group::FetchedPartition| {
        let offset = partition.offset.map_or("none".to_owned(), |offset| offset.to_string());
        let note = match partition.metadata.as_str() {
            "" => String::new(),
            note => format!(" {note:?}"),
        };
        format!("{}/{}={offset}{note}", topic.name, partition.partition)
    };
    topic.partitions.iter().map(show).collect()
}

fn show_described(names: &mut Names, group: &DescribedGroup) -> Vec<String> {
    let error = group.error.map(|error| format!(" {error:?}")).unwrap_or_default();
    let head = format!(
        "{} {:?} type {:?} protocol {:?}{error}",
        group.group, group.state, group.protocol_type, group.protocol
    );
    let members = group.members.iter().map(|member| {
        let id = names.name(&member.member_id);
        let instance = member.instance_id.as_deref().unwrap_or("-");
        let (metadata, assigned) = (text(&member.metadata), text(&member.assignment));
        format!("  {id} instance {instance} metadata {metadata} assigned {assigned}")
    });
    std::iter::once(head).chain(members).collect()
}
