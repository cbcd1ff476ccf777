use super::{
    CommitRequest, CommittedTopic, DescribedGroup, FetchedGroup, GroupError, GroupState,
    JoinRefused, Request, Response,
};

impl Request {
    /// The answer that refuses all that is asked for.
    pub fn refused(self, error: GroupError) -> Response {
        match self {
            Self::Join(request) => {
                Response::Join(Err(JoinRefused { error, member_id: request.member_id }))
            }
            Self::Sync(_) => Response::Sync(Err(error)),
            Self::Heartbeat(_) => Response::Heartbeat(Err(error)),
            Self::Leave(_) => Response::Leave(Err(error)),
            Self::Commit(request) => Response::Commit(request.answered(Err(error))),
            Self::Fetch(request) => {
                let refused = |group| FetchedGroup { group, topics: Err(error) };
                let groups = request.groups.into_iter();
                Response::Fetch(groups.map(|group| refused(group.group)).collect())
            }
            Self::DeleteOffsets(_) => Response::DeleteOffsets(Err(error)),
            Self::Describe { groups } => {
                let refused = |group| DescribedGroup::without_group(group, error, None);
                Response::Describe(groups.into_iter().map(refused).collect())
            }
            Self::List(_) => Response::List(Err(error)),
            Self::Delete { groups } => {
                Response::Delete(groups.into_iter().map(|group| (group, Err(error))).collect())
            }
        }
    }
}

impl CommitRequest {
    /// The same answer for each partition.
    pub(super) fn answered(&self, result: Result<(), GroupError>) -> Vec<CommittedTopic> {
        let topics = self.topics.iter().map(|topic| CommittedTopic {
            name: topic.name.clone(),
            id: topic.id,
            partitions: topic.partitions.iter().map(|offset| (offset.partition, result)).collect(),
        });
        topics.collect()
    }
}

impl DescribedGroup {
    /// What is said of a group that cannot be described.
    pub(super) fn without_group(group: String, error: GroupError, message: Option<String>) -> Self {
        Self {
            group,
            error: Some(error),
            message,
            state: GroupState::Dead,
            protocol_type: String::new(),
            protocol: String::new(),
            members: Vec::new(),
        }
    }
}
