//! JSON, as far as it is written here.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::table::Table;

/// A JSON value.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A whole number.
    Number(i128),
    /// A number with a fraction.
    Real(f64),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Json>),
    /// An object, its names in this order.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// An object of these fields.
    pub(super) fn object<const N: usize>(fields: [(&str, Self); N]) -> Self {
        Self::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// A string of anything that can be displayed.
    pub(super) fn text(value: impl ToString) -> Self {
        Self::Text(value.to_string())
    }

    /// An array of what an iterator gives.
    pub(super) fn list(values: impl IntoIterator<Item = Self>) -> Self {
        Self::List(values.into_iter().collect())
    }

    /// A field of any bytes: text as it is, null, or under a name that says so in base64.
    pub(super) fn bytes(name: &str, bytes: Option<&[u8]>) -> (String, Self) {
        match bytes.map(|bytes| (bytes, str::from_utf8(bytes))) {
            None => (name.to_owned(), Self::Null),
            Some((_, Ok(text))) => (name.to_owned(), Self::text(text)),
            Some((bytes, Err(_))) => (format!("{name}_base64"), Self::Text(STANDARD.encode(bytes))),
        }
    }

    /// The value as an outline for people: fields below each other, objects alike as a table.
    pub(super) fn outline(&self) -> String {
        let mut text = String::new();
        self.write_outline(0, &mut text);
        text
    }

    fn write_outline(&self, indent: usize, text: &mut String) {
        let room = " ".repeat(indent);
        match self {
            Self::Object(fields) => {
                let simple = fields.iter().filter(|(_, value)| value.cell().is_some());
                let width = simple.map(|(name, _)| name.len()).max().unwrap_or(0);
                for (name, value) in fields {
                    if let Some(cell) = value.cell() {
                        *text += &format!("{room}{name:<width$}  {cell}\n");
                    } else {
                        *text += &format!("{room}{name}\n");
                        value.write_outline(indent + 2, text);
                    }
                }
            }
            Self::List(values) => match self.as_table() {
                Some(table) => *text += &table.render(indent),
                None => values.iter().for_each(|value| value.write_outline(indent, text)),
            },
            other => *text += &format!("{room}{}\n", other.cell().unwrap_or_default()),
        }
    }

    /// Objects alike as a table with headlines of capitals; none for anything else.
    pub(super) fn table(&self) -> Option<String> {
        let headline = |name: &str| name.to_uppercase().replace('_', " ");
        Some(self.as_table_with(headline)?.render(0))
    }

    /// Objects with the same simple fields.
    fn as_table(&self) -> Option<Table> {
        self.as_table_with(str::to_owned)
    }

    fn as_table_with(&self, headline: impl Fn(&str) -> String) -> Option<Table> {
        let Self::List(values) = self else { return None };
        let Some(Self::Object(first)) = values.first() else { return None };
        let names: Vec<&str> = first.iter().map(|(name, _)| name.as_str()).collect();
        let headlines: Vec<String> = names.iter().map(|name| headline(name)).collect();
        let mut table = Table::new(&headlines.iter().map(String::as_str).collect::<Vec<_>>());
        for value in values {
            let Self::Object(fields) = value else { return None };
            let same = fields.iter().map(|(name, _)| name).eq(names.iter());
            let cells: Option<Vec<String>> = fields.iter().map(|(_, value)| value.cell()).collect();
            table.row(cells.filter(|_| same)?);
        }
        Some(table)
    }

    /// What fits on a line.
    fn cell(&self) -> Option<String> {
        match self {
            Self::Null => Some("-".to_owned()),
            Self::Bool(value) => Some(if *value { "yes" } else { "no" }.to_owned()),
            Self::Number(value) => Some(value.to_string()),
            Self::Real(value) => Some(value.to_string()),
            Self::Text(text) => Some(text.escape_debug().to_string()),
            Self::List(values) if values.is_empty() => Some("none".to_owned()),
            Self::Object(_) | Self::List(_) => None,
        }
    }

    /// Appends the value on one line.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Bool(value) => out.extend_from_slice(value.to_string().as_bytes()),
            Self::Number(value) => out.extend_from_slice(value.to_string().as_bytes()),
            Self::Real(value) if value.is_finite() => {
                out.extend_from_slice(value.to_string().as_bytes());
            }
            Self::Real(_) => out.extend_from_slice(b"null"),
            Self::Text(text) => write_text(text, out),
            Self::List(values) => {
                out.push(b'[');
                for (at, value) in values.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    value.write(out);
                }
                out.push(b']');
            }
            Self::Object(fields) => {
                out.push(b'{');
                for (at, (name, value)) in fields.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    write_text(name, out);
                    out.push(b':');
                    value.write(out);
                }
                out.push(b'}');
            }
        }
    }
}

macro_rules! from_number {
    ($($number:ty)*) => {
        $(impl From<$number> for Json {
            fn from(value: $number) -> Self {
                Self::Number(i128::from(value))
            }
        })*
    };
}
from_number!(i16 i32 i64 u32 u64);

impl<T: Into<Self>> From<Option<T>> for Json {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl From<usize> for Json {
    fn from(value: usize) -> Self {
        Self::Number(value as i128)
    }
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..0x20 | 0x7f => {
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 15)]);
            }
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_what_another_parser_reads() {
        let (name, value) = Json::bytes("value", Some(b"\xff"));
        let text = "quote \" back \\ line \n bell \u{7} del \u{7f} \u{1f600}";
        let json = Json::Object(vec![
            ("text".to_owned(), Json::text(text)),
            ("list".to_owned(), Json::list([Json::Null, Json::Bool(true), Json::from(-5i64)])),
            (name, value),
            Json::bytes("key", None),
        ]);
        let mut out = Vec::new();
        json.write(&mut out);
        let parsed: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(parsed["text"], text);
        assert_eq!(parsed["list"], serde_json::json!([null, true, -5]));
        assert_eq!(parsed["value_base64"], "/w==");
        assert!(parsed["key"].is_null());
    }
}
