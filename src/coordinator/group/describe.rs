//! DescribeGroups and ListGroups.

use super::classic::Group;
use super::{DescribedGroup, DescribedMember, GroupState, ListRequest, ListedGroup};

impl Group {
    pub(super) fn described(&self) -> DescribedGroup {
        let is_stable = self.state == GroupState::Stable;
        let protocol = self.protocol.as_deref().filter(|_| is_stable);
        let members = self.members.iter().map(|member| DescribedMember {
            member_id: member.id.as_ref().to_owned(),
            instance_id: member.instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            metadata: member.metadata(protocol),
            assignment: if is_stable { member.assignment.clone() } else { Default::default() },
        });
        DescribedGroup {
            group: self.id.as_ref().to_owned(),
            error: None,
            message: None,
            state: self.state,
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            protocol: protocol.unwrap_or_default().to_owned(),
            members: members.collect(),
        }
    }

    pub(super) fn listed(&self) -> ListedGroup {
        ListedGroup {
            group: self.id.as_ref().to_owned(),
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            state: self.state,
        }
    }
}

impl ListRequest {
    pub(super) fn wants(&self, group: &Group) -> bool {
        let has = |names: &[String], name: &str| {
            names.is_empty() || names.iter().any(|wanted| wanted.eq_ignore_ascii_case(name))
        };
        has(&self.states, group.state.name()) && has(&self.types, ListedGroup::TYPE)
    }
}
