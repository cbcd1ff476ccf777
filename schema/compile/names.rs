//! Names, types and literals in Rust.

use super::tree::{Default, Field, Kind, Struct, Type};

const RESERVED: [&str; 4] = ["type", "match", "struct", "move"];

/// A field's identifier.
pub fn identifier(name: &str) -> String {
    if RESERVED.contains(&name) { format!("r#{name}") } else { name.to_owned() }
}

/// A struct's type, with the lifetime `'a` when it borrows.
pub fn struct_type(name: &str, structs: &[Struct]) -> String {
    let borrows = structs.iter().any(|found| found.name == name && found.borrows);
    if borrows { format!("{name}<'a>") } else { name.to_owned() }
}

fn element_type(of: &Type, structs: &[Struct]) -> String {
    match of {
        Type::Bool => "bool".to_owned(),
        Type::I8 => "i8".to_owned(),
        Type::I16 => "i16".to_owned(),
        Type::I32 => "i32".to_owned(),
        Type::I64 => "i64".to_owned(),
        Type::U16 => "u16".to_owned(),
        Type::F64 => "f64".to_owned(),
        Type::Uuid => "Uuid".to_owned(),
        Type::String => "&'a str".to_owned(),
        Type::Bytes => "&'a [u8]".to_owned(),
        Type::Records => "Records<'a>".to_owned(),
        Type::Struct(name) => struct_type(name, structs),
    }
}

/// A field's type.
pub fn field_type(field: &Field, structs: &[Struct]) -> String {
    let plain = plain_type(field, structs);
    if field.nullable.is_some() { format!("Option<{plain}>") } else { plain }
}

/// A field's type where it is not null.
pub fn plain_type(field: &Field, structs: &[Struct]) -> String {
    match &field.kind {
        Kind::One(of) => element_type(of, structs),
        Kind::Array(of) => format!("Array<'a, {}>", element_type(of, structs)),
    }
}

/// The expression for a field's default.
pub fn default_value(field: &Field) -> String {
    let plain = match &field.kind {
        Kind::Array(_) => "Array::EMPTY",
        Kind::One(Type::Bool) => "false",
        Kind::One(Type::F64) => "0.0",
        Kind::One(Type::Uuid) => "Uuid::ZERO",
        Kind::One(Type::String) => "\"\"",
        Kind::One(Type::Bytes) => "&[]",
        Kind::One(Type::Records) => "Records::EMPTY",
        Kind::One(Type::Struct(name)) => &format!("{name}::default()"),
        Kind::One(_) => "0",
    };
    match field.default {
        Default::Plain if field.nullable.is_some() => "None".to_owned(),
        Default::Plain => plain.to_owned(),
        Default::Empty => format!("Some({plain})"),
        Default::True => "true".to_owned(),
        // The least i64 has no literal with a sign in front.
        Default::Integer(i64::MIN) => "i64::MIN".to_owned(),
        Default::Integer(value) => value.to_string(),
    }
}
