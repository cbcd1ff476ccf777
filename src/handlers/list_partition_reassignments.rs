//! ListPartitionReassignments: which partitions move between brokers (KIP-455): none ever do here.

use super::context::{Context, Frame, Handled};
use crate::protocol::Message as _;
use crate::protocol::messages::list_partition_reassignments::{
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse,
};

/// Handles a request.
pub(super) fn handle(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    if ListPartitionReassignmentsRequest::decode(frame.body, frame.version).is_err() {
        return Handled::Close("a ListPartitionReassignments request that cannot be decoded");
    }
    ctx.respond(frame, &ListPartitionReassignmentsResponse::default())
}
