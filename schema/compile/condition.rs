//! Which versions do something, as a condition in the generated code.

use super::tree::{Field, Struct};
use super::versions::Versions;

/// In which of its struct's versions something is so.
pub enum When {
    Always,
    Never,
    Under(String),
}

impl When {
    fn among(versions: Versions, all: Versions) -> Self {
        let mut parts = Vec::new();
        if versions.first > all.first {
            parts.push(format!("format.version >= {}", versions.first));
        }
        if versions.last < all.last {
            parts.push(format!("format.version <= {}", versions.last));
        }
        if parts.is_empty() { Self::Always } else { Self::Under(parts.join(" && ")) }
    }

    /// The versions that have the field.
    pub fn present(field: &Field, of: &Struct) -> Self {
        Self::among(field.versions, of.versions())
    }

    /// Among the versions that have the field those in which it can be null.
    pub fn nullable(field: &Field, of: &Struct) -> Self {
        let present = field.versions.intersection(of.versions()).unwrap_or(of.versions());
        field.nullable.map_or(Self::Never, |nullable| Self::among(nullable, present))
    }

    /// An expression that is one thing or the other, by version.
    pub fn choose(&self, yes: &str, no: &str) -> String {
        match self {
            Self::Always => yes.to_owned(),
            Self::Never => no.to_owned(),
            Self::Under(condition) => format!("if {condition} {{ {yes} }} else {{ {no} }}"),
        }
    }

    /// `expression`, or nothing in the other versions.
    pub fn only(&self, expression: &str) -> String {
        match self {
            Self::Always => expression.to_owned(),
            Self::Never => String::new(),
            Self::Under(condition) => format!("if {condition} {{ {expression}; }}"),
        }
    }

    /// A boolean expression that is also false in the other versions.
    pub fn and(&self, expression: &str) -> String {
        match self {
            Self::Always => expression.to_owned(),
            Self::Never => "false".to_owned(),
            Self::Under(condition) => format!("{condition} && {expression}"),
        }
    }

    /// The guard of a match arm.
    pub fn guard(&self) -> String {
        match self {
            Self::Always => String::new(),
            Self::Never => " if false".to_owned(),
            Self::Under(condition) => format!(" if {condition}"),
        }
    }
}
