//! DescribeClientQuotas: the quotas of the entities that match a filter (KIP-546).
//!
//! Behaviour: every component of the filter has to match; strictly, an entity has no other parts.

use std::collections::BTreeMap;

use super::context::{Context, Frame, Handled};
use crate::controller::QUOTA_ENTITY_TYPES;
use crate::metadata::QuotaEntity;
use crate::protocol::messages::describe_client_quotas::{
    ComponentData, DescribeClientQuotasRequest, DescribeClientQuotasResponse, EntityData,
    EntryData, ValueData,
};
use crate::protocol::{Array, ErrorCode, Message as _};

/// What a component asks of an entity's part of its type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Match<'a> {
    Name(&'a str),
    Default,
    Any,
}

type Filter<'a> = BTreeMap<&'a str, Match<'a>>;

/// Handles a request.
pub(super) fn handle(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    let Ok(request) = DescribeClientQuotasRequest::decode(frame.body, frame.version) else {
        return Handled::Close("a DescribeClientQuotas request that cannot be decoded");
    };
    let filter = match filter(&request.components) {
        Ok(filter) => filter,
        Err((code, message)) => {
            let response = DescribeClientQuotasResponse {
                error_code: code.code(),
                error_message: Some(&message),
                entries: None,
                ..Default::default()
            };
            return ctx.respond(frame, &response);
        }
    };
    let quotas = std::sync::Arc::clone(&ctx.image.quotas);
    let found: Vec<_> =
        quotas.iter().filter(|(entity, _)| matches(&filter, request.strict, entity)).collect();
    let parts: Vec<(Vec<EntityData<'_>>, Vec<ValueData<'_>>)> = found
        .iter()
        .map(|(entity, quotas)| {
            let parts = entity.iter().map(|(entity_type, entity_name)| EntityData {
                entity_type,
                entity_name: entity_name.as_deref(),
            });
            let values = quotas.iter().map(|(key, value)| ValueData { key, value: value.get() });
            (parts.collect(), values.collect())
        })
        .collect();
    let entries: Vec<EntryData<'_>> = parts
        .iter()
        .map(|(entity, values)| EntryData {
            entity: Array::new(entity),
            values: Array::new(values),
        })
        .collect();
    let entries = Some(Array::new(&entries));
    ctx.respond(frame, &DescribeClientQuotasResponse { entries, ..Default::default() })
}

fn filter<'a>(
    components: &Array<'a, ComponentData<'a>>,
) -> Result<Filter<'a>, (ErrorCode, String)> {
    let invalid = |reason: String| (ErrorCode::InvalidRequest, reason);
    let mut filter = Filter::new();
    for component in components {
        let ComponentData { entity_type, match_type, r#match: name } = component;
        if entity_type.is_empty() {
            return Err(invalid("the filter has a component without a type".to_owned()));
        }
        let wanted = match (match_type, name) {
            (0, Some(name)) => Match::Name(name),
            (1, None) => Match::Default,
            (2, None) => Match::Any,
            (0, None) => return Err(invalid(format!("{entity_type}: the name is missing"))),
            (1 | 2, Some(_)) => {
                return Err(invalid(format!("{entity_type}: a name does not go with this match")));
            }
            (other, _) => return Err(invalid(format!("there is no match of type {other}"))),
        };
        if !QUOTA_ENTITY_TYPES.contains(&entity_type) {
            let reason = format!("{entity_type}: expected user, client-id or ip");
            return Err((ErrorCode::UnsupportedVersion, reason));
        }
        if filter.insert(entity_type, wanted).is_some() {
            return Err(invalid(format!("the filter names {entity_type} twice")));
        }
    }
    if filter.contains_key("ip") && filter.len() > 1 {
        let reason = "quotas are for an ip, or else for users and client-ids";
        return Err(invalid(reason.to_owned()));
    }
    Ok(filter)
}

fn matches(filter: &Filter<'_>, strict: bool, entity: &QuotaEntity) -> bool {
    let fits = |(kind, wanted): (&&str, &Match<'_>)| {
        entity.get(*kind).is_some_and(|name| match wanted {
            Match::Name(wanted) => name.as_deref() == Some(*wanted),
            Match::Default => name.is_none(),
            Match::Any => true,
        })
    };
    filter.iter().all(fits) && (!strict || entity.len() == filter.len())
}
