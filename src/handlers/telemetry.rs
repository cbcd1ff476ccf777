//! GetTelemetrySubscriptions and PushTelemetry: metrics of clients (KIP-714). Clients are told what
//! the subscriptions want of them; what they send is checked, and then dropped.
//!
//! Subscriptions choose by client id and instance id here: a request says no more of its client.
//! Nothing is kept of single clients: which subscriptions are theirs follows from the settings.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::context::{Context, Frame, Handled};
use crate::config::ClientMetricsSettings;
use crate::metadata::{Image, LogIndex, resource_type};
use crate::protocol::messages::get_telemetry_subscriptions::{
    GetTelemetrySubscriptionsRequest, GetTelemetrySubscriptionsResponse,
};
use crate::protocol::messages::push_telemetry::{PushTelemetryRequest, PushTelemetryResponse};
use crate::protocol::{Array, ErrorCode, Message as _};
use crate::record::crc32c;
use crate::types::Uuid;

/// Clients without a subscription ask again after this time.
const INTERVAL_MS: i32 = 300_000;
/// zstd, lz4, gzip, snappy, by Kafka's numbers.
const COMPRESSION_TYPES: [i8; 4] = [4, 3, 1, 2];
const UNCOMPRESSED: i8 = 0;
/// The prefix of every name.
const ALL_METRICS: &str = "*";

/// The subscriptions of an image, made once: making a pattern takes longer than a request may.
#[derive(Debug, Default)]
pub struct Subscriptions {
    at: LogIndex,
    by_name: BTreeMap<String, Subscription>,
}

#[derive(Debug)]
struct Subscription {
    given: Arc<BTreeMap<String, String>>,
    settings: ClientMetricsSettings,
}

impl Subscriptions {
    /// Takes over what an image says, which costs next to nothing where it says the same.
    fn take(&mut self, image: &Image) {
        if self.at == image.at {
            return;
        }
        self.at = image.at;
        let mut before = std::mem::take(&mut self.by_name);
        for name in image.resources(resource_type::CLIENT_METRICS) {
            let given = image.settings(resource_type::CLIENT_METRICS, name).expect("listed");
            let known = before.remove(name).filter(|known| Arc::ptr_eq(&known.given, given));
            let made = known.or_else(|| {
                let settings = ClientMetricsSettings::resolve(given).ok()?;
                Some(Subscription { given: Arc::clone(given), settings })
            });
            self.by_name.extend(made.map(|made| (name.to_owned(), made)));
        }
    }
}

/// What is wanted of a client.
struct Subscribed {
    id: i32,
    interval_ms: i32,
    metrics: Vec<String>,
}

/// Handles a GetTelemetrySubscriptions request.
pub(super) fn subscriptions(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    let Ok(request) = GetTelemetrySubscriptionsRequest::decode(frame.body, frame.version) else {
        return Handled::Close("a GetTelemetrySubscriptions request that cannot be decoded");
    };
    let prng = &mut *ctx.prng;
    let client_instance_id = match request.client_instance_id {
        Uuid::ZERO => Uuid::from_random(|| prng.next_u64()),
        known => known,
    };
    let subscribed = subscribed(ctx, frame, client_instance_id);
    let metrics: Vec<&str> = subscribed.metrics.iter().map(String::as_str).collect();
    let response = GetTelemetrySubscriptionsResponse {
        client_instance_id,
        subscription_id: subscribed.id,
        accepted_compression_types: Array::new(&COMPRESSION_TYPES),
        push_interval_ms: subscribed.interval_ms,
        telemetry_max_bytes: ctx.settings.network.telemetry_bytes_max,
        delta_temporality: true,
        requested_metrics: Array::new(&metrics),
        ..Default::default()
    };
    ctx.respond(frame, &response)
}

/// Handles a PushTelemetry request.
pub(super) fn push(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    let Ok(request) = PushTelemetryRequest::decode(frame.body, frame.version) else {
        return Handled::Close("a PushTelemetry request that cannot be decoded");
    };
    let known_type = request.compression_type == UNCOMPRESSED
        || COMPRESSION_TYPES.contains(&request.compression_type);
    let bytes_max = ctx.settings.network.telemetry_bytes_max;
    let error = if request.client_instance_id == Uuid::ZERO {
        ErrorCode::InvalidRequest
    } else if request.subscription_id != subscribed(ctx, frame, request.client_instance_id).id {
        ErrorCode::UnknownSubscriptionId
    } else if !known_type {
        ErrorCode::UnsupportedCompressionType
    } else if request.metrics.len() > usize::try_from(bytes_max).unwrap_or(0) {
        ErrorCode::TelemetryTooLarge
    } else {
        ErrorCode::None
    };
    ctx.respond(frame, &PushTelemetryResponse { error_code: error.code(), ..Default::default() })
}

fn subscribed(ctx: &mut Context<'_>, frame: &Frame<'_>, instance: Uuid) -> Subscribed {
    let instance = instance.to_string();
    let attribute = |name: &str| match name {
        "client_id" => frame.client_id,
        "client_instance_id" => Some(instance.as_str()),
        _ => None,
    };
    let mut subscribed = Subscribed { id: 0, interval_ms: INTERVAL_MS, metrics: Vec::new() };
    let mut told = String::new();
    ctx.subscriptions.take(ctx.image);
    for (name, Subscription { given, settings }) in &ctx.subscriptions.by_name {
        if !settings.matches(attribute) {
            continue;
        }
        let interval_ms = i32::try_from(settings.interval.as_millis()).unwrap_or(INTERVAL_MS);
        subscribed.interval_ms = subscribed.interval_ms.min(interval_ms);
        subscribed.metrics.extend(settings.metrics.iter().cloned());
        told.push_str(&format!("{name}={given:?};"));
    }
    if subscribed.metrics.iter().any(|name| name == ALL_METRICS) {
        // To clients every name begins with nothing.
        subscribed.metrics = vec![String::new()];
    }
    subscribed.metrics.sort();
    subscribed.metrics.dedup();
    subscribed.id = i32::from_be_bytes(crc32c(told.as_bytes()).to_be_bytes());
    subscribed
}
