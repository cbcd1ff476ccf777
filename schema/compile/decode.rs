//! How a struct is read from bytes, and how it is passed over.

use super::condition::When;
use super::names::{default_value, field_type, identifier, plain_type};
use super::text::line;
use super::tree::{Field, Kind, Struct, Type};

/// The functions `read` and, for elements of arrays, `skip`.
pub fn decode_functions(text: &mut String, found: &Struct, all: &[Struct]) {
    read_function(text, found);
    if is_element(found, all) {
        skip_function(text, found, all);
    }
}

fn read_function(text: &mut String, found: &Struct) {
    signature(text, "read", "Self");
    if found.array_at_end().is_some() {
        line!(text, "let (end, format) = (format, format.with_open_end(false));");
    }
    for field in &found.fields {
        let name = identifier(&field.name);
        let default = default_value(field);
        if field.tag.is_some() {
            line!(text, "let mut {name} = {default};");
        } else {
            let value = When::present(field, found).choose(&read(field, found), &default);
            line!(text, "let {name} = {value};");
        }
    }
    let skip_unknown = match found.array_at_end() {
        Some(_) => "if !end.open_end { r.skip_tagged_fields(format)?; }",
        None => SKIP_UNKNOWN,
    };
    tagged(text, found, skip_unknown, |field| {
        format!("{} = {}", identifier(&field.name), read(field, found))
    });
    let names: Vec<_> = found.fields.iter().map(|field| identifier(&field.name)).collect();
    line!(text, "*reader = copy;");
    line!(text, "Ok(Self {{ {} }})", names.join(", "));
    line!(text, "}}");
}

fn signature(text: &mut String, name: &str, of: &str) {
    line!(
        text,
        "fn {name}(reader: &mut Reader<'a>, format: Format) -> Result<{of}, DecodeError> {{"
    );
    // A copy lives in registers, and nobody sees it after a fault.
    line!(text, "let mut copy = *reader;");
    line!(text, "let r = &mut copy;");
}

fn read(field: &Field, found: &Struct) -> String {
    let last = found.array_at_end().is_some_and(|last| last.name == field.name);
    let format = if last { "end" } else { field.format() };
    let plain = format!("Field::read(r, {format})?");
    let nullable = match (field.is_struct(), field.tag) {
        (true, None) => format!("r.nullable_struct({format})?"),
        (true, Some(_)) => format!("r.nullable_tagged_struct({format})?"),
        (false, _) => plain.clone(),
    };
    let present = if field.nullable.is_some() { format!("Some({plain})") } else { plain };
    When::nullable(field, found).choose(&nullable, &present)
}

/// Whether arrays pass over the struct: then it is worth a way of doing so without building it.
fn is_element(found: &Struct, all: &[Struct]) -> bool {
    all.iter().any(|outer| {
        outer.fields.iter().any(|field| match &field.kind {
            Kind::Array(Type::Struct(name)) => *name == found.name,
            Kind::One(Type::Struct(name)) if *name == found.name => is_element(outer, all),
            _ => false,
        })
    })
}

fn skip_function(text: &mut String, found: &Struct, all: &[Struct]) {
    signature(text, "skip", "()");
    let mut width = 0;
    for field in found.fields.iter().filter(|field| field.tag.is_none()) {
        let present = When::present(field, found);
        if let (When::Always, Some(bytes)) = (&present, field.width()) {
            // One check of the bounds for neighbours whose width is known.
            width += bytes;
            continue;
        }
        flush(text, &mut width);
        line!(text, "{};", present.only(&skip(field, found, all)));
    }
    flush(text, &mut width);
    tagged(text, found, SKIP_UNKNOWN, |field| skip(field, found, all));
    line!(text, "*reader = copy;");
    line!(text, "Ok(())");
    line!(text, "}}");
}

fn flush(text: &mut String, width: &mut usize) {
    if *width > 0 {
        line!(text, "r.skip({width})?;");
        *width = 0;
    }
}

fn skip(field: &Field, found: &Struct, all: &[Struct]) -> String {
    let (format, plain) = (field.format(), plain_type(field, all));
    let present = format!("<{plain} as Field>::skip(r, {format})?");
    let nullable = match (field.is_struct(), field.tag) {
        (true, None) => format!("r.skip_nullable_struct::<{plain}>({format})?"),
        (true, Some(_)) => format!("r.nullable_tagged_struct::<{plain}>({format})?"),
        (false, _) => format!("<{} as Field>::skip(r, {format})?", field_type(field, all)),
    };
    When::nullable(field, found).choose(&nullable, &present)
}

const SKIP_UNKNOWN: &str = "r.skip_tagged_fields(format)?;";

/// The tagged fields at the end of a struct: `take` for those that are defined, the others are
/// passed over; `skip_unknown` where none is defined.
fn tagged(text: &mut String, found: &Struct, skip_unknown: &str, take: impl Fn(&Field) -> String) {
    if !found.is_ever_flexible() {
        return;
    }
    let fields = found.tagged_fields();
    if fields.is_empty() {
        line!(text, "{skip_unknown}");
        return;
    }
    line!(text, "for _ in 0..r.tagged_field_count(format)? {{");
    line!(text, "let (tag, mut value) = r.tagged_field()?;");
    line!(text, "let r = &mut value;");
    line!(text, "match tag {{");
    for (tag, field) in fields {
        let (guard, take) = (When::present(field, found).guard(), take(field));
        line!(text, "{tag}{guard} => {{ {take}; r.end_of_tagged_field()?; }}");
    }
    line!(text, "_ => {{}}");
    line!(text, "}} }}");
}
