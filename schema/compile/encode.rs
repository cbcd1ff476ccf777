//! How a struct is written.

use super::condition::When;
use super::names::{default_value, identifier};
use super::text::line;
use super::tree::{Field, Struct};

/// The function `write`.
pub fn encode_function(text: &mut String, found: &Struct) {
    line!(text, "fn write(&self, w: &mut Writer, format: Format) {{");
    for field in found.fields.iter().filter(|field| field.tag.is_none()) {
        line!(text, "{};", When::present(field, found).only(&write(field, found)));
    }
    if found.is_ever_flexible() {
        tagged(text, found);
    }
    line!(text, "}}");
}

fn write(field: &Field, found: &Struct) -> String {
    let (name, format) = (identifier(&field.name), field.format());
    if name == "error_code" {
        return format!("w.error_code(self.{name})");
    }
    if name == "throttle_time_ms" {
        return format!("w.throttle_time_ms(self.{name})");
    }
    if name == "error_message" {
        return format!("w.error_message(self.{name}, {format})");
    }
    let present = if field.nullable.is_some() {
        format!("self.{name}.unwrap_or_default().write(w, {format})")
    } else {
        format!("self.{name}.write(w, {format})")
    };
    let nullable = match (field.is_struct(), field.tag) {
        (true, None) => format!("w.nullable_struct(self.{name}.as_ref(), {format})"),
        (true, Some(_)) => format!("w.nullable_tagged_struct(self.{name}.as_ref(), {format})"),
        (false, _) => format!("self.{name}.write(w, {format})"),
    };
    When::nullable(field, found).choose(&nullable, &present)
}

/// Tagged fields are written in the order of their tags, and only where they differ from their
/// defaults.
fn tagged(text: &mut String, found: &Struct) {
    let fields = found.tagged_fields();
    if fields.is_empty() {
        line!(text, "w.no_tagged_fields(format);");
        return;
    }
    line!(text, "if format.flexible {{");
    for (tag, field) in &fields {
        let set = format!("self.{} != {}", identifier(&field.name), default_value(field));
        let set = When::present(field, found).and(&set);
        line!(text, "let set_{tag} = {set};");
    }
    let count: Vec<_> = fields.iter().map(|(tag, _)| format!("u32::from(set_{tag})")).collect();
    line!(text, "w.unsigned_varint({});", count.join(" + "));
    for (tag, field) in &fields {
        let write = write(field, found);
        line!(text, "if set_{tag} {{ w.tagged_field({tag}, |w| {write}); }}");
    }
    line!(text, "}}");
}
