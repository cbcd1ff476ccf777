//! ListTransactions: there are none yet. States that nobody knows are named, as by Kafka.

use super::context::{Context, Frame, Handled};
use crate::protocol::messages::list_transactions::{
    ListTransactionsRequest, ListTransactionsResponse,
};
use crate::protocol::{Array, Message as _};

const STATES: [&str; 8] = [
    "Empty",
    "Ongoing",
    "PrepareCommit",
    "PrepareAbort",
    "CompleteCommit",
    "CompleteAbort",
    "Dead",
    "PrepareEpochFence",
];

/// Handles a request.
pub(super) fn handle(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    let Ok(request) = ListTransactionsRequest::decode(frame.body, frame.version) else {
        return Handled::Close("a ListTransactions request that cannot be decoded");
    };
    let unknown = request.state_filters.iter().filter(|state| !STATES.contains(state));
    let unknown: Vec<&str> = unknown.collect();
    let unknown_state_filters = Array::new(&unknown);
    ctx.respond(frame, &ListTransactionsResponse { unknown_state_filters, ..Default::default() })
}
