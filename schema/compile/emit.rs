//! One Rust module per file: structs, how to read them, how to write them.

use super::decode::decode_functions;
use super::encode::encode_function;
use super::names::{default_value, field_type, identifier, struct_type};
use super::text::{doc, line};
use super::tree::{Default, Message, Module, Role, Struct};
use super::versions::Versions;

/// The module of one file.
pub fn module(module: &Module) -> String {
    let mut text = String::new();
    let single = module.doc.is_empty();
    doc(&mut text, if single { &module.messages[0].doc } else { &module.doc });
    line!(text, "pub mod {} {{", module.name);
    line!(text, "use super::imports::*;");
    for found in &module.structs {
        let message = module.messages.iter().find(|message| message.struct_name == found.name);
        declaration(&mut text, found, message, &module.structs);
        field_impl(&mut text, found, &module.structs);
        if let Some(message) = message {
            message_impl(&mut text, found, message, module);
        }
    }
    line!(text, "}}");
    text
}

fn declaration(text: &mut String, found: &Struct, message: Option<&Message>, all: &[Struct]) {
    if let Some(message) = message {
        let role = match message.role {
            Role::Request => "Request of",
            Role::Response => "Response of",
            Role::Key => "Key of",
            Role::Value => "Value of",
            Role::Data => "Bytes of",
        };
        let (definition, versions) = (&message.definition, message.context.versions);
        line!(text, "/// {role} {definition}, versions {versions}.");
        line!(text, "///");
        doc(text, &message.doc);
    }
    doc(text, &found.doc);
    let plain = found.fields.iter().all(|field| field.default == Default::Plain);
    let derived = if plain { ", Default" } else { "" };
    line!(text, "#[derive(Clone, Copy, Debug, PartialEq{derived})]");
    line!(text, "pub struct {} {{", struct_type(&found.name, all));
    for field in &found.fields {
        doc(text, &field.doc);
        line!(text, "pub {}: {},", identifier(&field.name), field_type(field, all));
    }
    line!(text, "}}");
    if !plain {
        let anonymous = struct_type(&found.name, all).replace("'a", "'_");
        line!(text, "impl Default for {anonymous} {{ fn default() -> Self {{ Self {{");
        for field in &found.fields {
            line!(text, "{}: {},", identifier(&field.name), default_value(field));
        }
        line!(text, "}} }} }}");
    }
}

fn field_impl(text: &mut String, found: &Struct, all: &[Struct]) {
    line!(text, "impl<'a> Field<'a> for {} {{", struct_type(&found.name, all));
    line!(text, "const BYTES_MIN: usize = {};", found.bytes_min);
    if found.array_at_end().is_some() {
        line!(text, "const ENDS_IN_ARRAY: bool = true;");
    }
    decode_functions(text, found, all);
    encode_function(text, found);
    line!(text, "}}");
}

fn message_impl(text: &mut String, found: &Struct, message: &Message, module: &Module) {
    let name = struct_type(&found.name, &module.structs);
    let Versions { first, last } = message.context.versions;
    line!(text, "impl<'a> Message<'a> for {name} {{");
    line!(text, "const NAME: &'static str = \"{}\";", found.name);
    line!(text, "const VERSIONS: RangeInclusive<i16> = {first}..={last};");
    line!(text, "const FLEXIBLE_FROM: Option<i16> = {:?};", message.context.flexible_from);
    line!(text, "}}");
    let api = &message.definition;
    match message.role {
        Role::Request => {
            let response = struct_type(&format!("{api}Response"), &module.structs);
            line!(text, "impl<'a> Request<'a> for {name} {{");
            line!(text, "const API: ApiKey = ApiKey::{api};");
            line!(text, "type Response<'b> = {};", response.replace("'a", "'b"));
            line!(text, "}}");
        }
        Role::Response => {
            line!(text, "impl<'a> Response<'a> for {name} {{");
            line!(text, "const API: ApiKey = ApiKey::{api};");
            line!(text, "}}");
        }
        Role::Key | Role::Value => {
            let number = message.number.unwrap_or_default();
            let bare = struct_type(&found.name, &module.structs).replace("'a", "'_");
            line!(text, "impl {bare} {{");
            line!(text, "/// The type that a record's key starts with.");
            line!(text, "pub const TYPE: i16 = {number};");
            line!(text, "}}");
        }
        Role::Data => {}
    }
}
