//! Quotas of users, client ids and addresses (KIP-546).

use std::collections::BTreeMap;

use super::admin::{outcome, persist};
use super::{ClientError, Cluster};
use crate::protocol::Array;
use crate::protocol::messages::alter_client_quotas::{
    AlterClientQuotasRequest, AlterClientQuotasResponse, EntityData, EntryData, OpData,
};
use crate::protocol::messages::describe_client_quotas::{
    ComponentData, DescribeClientQuotasRequest, DescribeClientQuotasResponse,
};

/// Matches an entity of that name.
const EXACTLY: i8 = 0;
/// Matches the default of that type.
const DEFAULT: i8 = 1;

/// Whom a quota is for: names by type, such as `user` and `client-id`; none for the default of
/// that type.
pub type Entity = BTreeMap<String, Option<String>>;

/// The quotas of one entity.
#[derive(Clone, PartialEq, Debug)]
pub struct Quotas {
    /// Whom they are for.
    pub entity: Entity,
    /// By name.
    pub values: BTreeMap<String, f64>,
}

/// The quotas of entities that have at least these parts, all where there are none.
///
/// # Errors
/// No broker tells.
pub fn describe(cluster: &mut Cluster, filter: &Entity) -> Result<Vec<Quotas>, ClientError> {
    let components: Vec<ComponentData<'_>> = filter
        .iter()
        .map(|(kind, name)| ComponentData {
            entity_type: kind,
            match_type: if name.is_some() { EXACTLY } else { DEFAULT },
            r#match: name.as_deref(),
        })
        .collect();
    let request =
        DescribeClientQuotasRequest { components: Array::new(&components), strict: false };
    let answer = cluster.ask_any(&request)?;
    let response: DescribeClientQuotasResponse<'_> = answer.decode()?;
    if response.error_code != 0 {
        let what = "the quotas".to_owned();
        return Err(ClientError::refused(what, response.error_code, response.error_message));
    }
    let entries = response.entries.into_iter().flatten();
    Ok(entries
        .map(|entry| Quotas {
            entity: entry
                .entity
                .iter()
                .map(|part| (part.entity_type.to_owned(), part.entity_name.map(str::to_owned)))
                .collect(),
            values: entry.values.iter().map(|it| (it.key.to_owned(), it.value)).collect(),
        })
        .collect())
}

/// Gives an entity quotas, or takes away those without a value.
///
/// # Errors
/// The controller refuses: then nothing has changed.
pub fn alter(
    cluster: &mut Cluster,
    entity: &Entity,
    changes: &[(String, Option<f64>)],
) -> Result<(), ClientError> {
    let parts: Vec<EntityData<'_>> = entity
        .iter()
        .map(|(kind, name)| EntityData { entity_type: kind, entity_name: name.as_deref() })
        .collect();
    let ops: Vec<OpData<'_>> = changes
        .iter()
        .map(|(key, value)| OpData { key, value: value.unwrap_or(0.0), remove: value.is_none() })
        .collect();
    let entries = [EntryData { entity: Array::new(&parts), ops: Array::new(&ops) }];
    let request = AlterClientQuotasRequest { entries: Array::new(&entries), validate_only: false };
    persist(|| {
        let answer = cluster.ask_controller(&request)?;
        let response: AlterClientQuotasResponse<'_> = answer.decode()?;
        let result = response.entries.iter().next();
        let (code, message) = result.map_or((-1, None), |it| (it.error_code, it.error_message));
        outcome(cluster, "the quotas are not altered".to_owned(), code, message)
    })
}
