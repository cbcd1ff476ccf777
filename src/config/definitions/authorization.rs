//! Who may do what; delegation tokens.

use super::reasons::{ACLS, JAVA, TOKENS};
use crate::config::definition::{
    Allowed::Any,
    Definition,
    Kind::{Class, Long, Password, Text},
    Update::{PerBroker, ReadOnly},
    from, row,
};

/// The settings.
#[rustfmt::skip]
pub(super) static ROWS: &[Definition] = &[
    row("authorizer.class.name", Text, Some(""), Any, ReadOnly, ACLS,
        "The class that decides who may do what; empty lets everyone do everything."),
    row("principal.builder.class", Class,
        Some("org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder"), Any,
        PerBroker, JAVA,
        "A class that makes a user of what a connection proved."),
    row("delegation.token.secret.key", Password, None, Any, ReadOnly, TOKENS,
        "The secret that signs delegation tokens."),
    row("delegation.token.max.lifetime.ms", Long, Some("604800000"), from(1), ReadOnly, TOKENS,
        "The longest life of a delegation token."),
    row("delegation.token.expiry.time.ms", Long, Some("86400000"), from(1), ReadOnly, TOKENS,
        "How long a delegation token is valid until it has to be renewed."),
    row("delegation.token.expiry.check.interval.ms", Long, Some("3600000"), from(1), ReadOnly,
        TOKENS,
        "How often delegation tokens that have ended are removed."),
];
