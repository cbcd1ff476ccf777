//! Definitions that are known to make sense: names resolved, ranges and defaults checked.

use super::versions::Versions;

/// What one text file defines.
#[derive(Debug)]
pub struct Module {
    pub name: String,
    pub doc: Vec<String>,
    pub messages: Vec<Message>,
    /// Messages and what is inside of them, in the order of the file.
    pub structs: Vec<Struct>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Request,
    Response,
    Key,
    Value,
    Data,
}

/// A struct that is encoded by itself, under a version.
#[derive(Debug)]
pub struct Message {
    /// The name of the definition: `Produce`, while the struct is `ProduceRequest`.
    pub definition: String,
    pub struct_name: String,
    pub role: Role,
    /// The key of the API or the type of the record.
    pub number: Option<i16>,
    pub context: Context,
    pub doc: Vec<String>,
}

/// Versions under which a struct may be encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    pub versions: Versions,
    pub flexible_from: Option<i16>,
}

impl Context {
    pub fn is_flexible(self, version: i16) -> bool {
        self.flexible_from.is_some_and(|first| version >= first)
    }

    pub fn is_ever_flexible(self) -> bool {
        self.is_flexible(self.versions.last)
    }
}

#[derive(Debug)]
pub struct Struct {
    pub line: usize,
    pub name: String,
    pub doc: Vec<String>,
    pub fields: Vec<Field>,
    /// One for each message that contains the struct.
    pub contexts: Vec<Context>,
    /// Whether it holds borrowed data and so has a lifetime.
    pub borrows: bool,
    /// The fewest bytes that it takes in any version.
    pub bytes_min: usize,
}

impl Struct {
    /// The range around all contexts.
    pub fn versions(&self) -> Versions {
        let mut ranges = self.contexts.iter().map(|context| context.versions);
        let first = ranges.next().unwrap_or(Versions::ALL);
        ranges.fold(first, Versions::hull)
    }

    /// The tagged fields in the order of their tags.
    pub fn tagged_fields(&self) -> Vec<(u32, &Field)> {
        let tagged = self.fields.iter().filter_map(|field| Some((field.tag?, field)));
        let mut fields: Vec<_> = tagged.collect();
        fields.sort_by_key(|(tag, _)| *tag);
        fields
    }

    /// The array of which nothing but unknown tagged fields can follow.
    pub fn array_at_end(&self) -> Option<&Field> {
        let last = self.fields.last()?;
        let plain = self.fields.iter().all(|field| field.tag.is_none() && !field.classic);
        (plain && matches!(last.kind, Kind::Array(_))).then_some(last)
    }

    pub fn is_ever_flexible(&self) -> bool {
        self.contexts.iter().any(|context| context.is_ever_flexible())
    }
}

#[derive(Debug)]
pub struct Field {
    pub line: usize,
    pub name: String,
    pub doc: Vec<String>,
    pub kind: Kind,
    /// The versions that have the field.
    pub versions: Versions,
    /// The versions in which it may be null.
    pub nullable: Option<Versions>,
    pub tag: Option<u32>,
    pub classic: bool,
    pub default: Default,
}

impl Field {
    /// Whether it is one struct, which says "null" in a byte of its own.
    pub fn is_struct(&self) -> bool {
        matches!(self.kind, Kind::One(Type::Struct(_)))
    }

    /// The bytes that it takes when they never differ.
    pub fn width(&self) -> Option<usize> {
        match &self.kind {
            Kind::One(of) => of.width(),
            Kind::Array(_) => None,
        }
    }

    /// The format in the generated code.
    pub fn format(&self) -> &'static str {
        if self.classic { "format.classic()" } else { "format" }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    One(Type),
    Array(Type),
}

impl Kind {
    pub fn element(&self) -> &Type {
        match self {
            Self::One(of) | Self::Array(of) => of,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    Bool,
    I8,
    I16,
    I32,
    I64,
    U16,
    F64,
    Uuid,
    String,
    Bytes,
    Records,
    Struct(String),
}

impl Type {
    /// The types that have a name in small letters.
    pub const NAMED: [(&'static str, Type); 11] = [
        ("bool", Type::Bool),
        ("i8", Type::I8),
        ("i16", Type::I16),
        ("i32", Type::I32),
        ("i64", Type::I64),
        ("u16", Type::U16),
        ("f64", Type::F64),
        ("uuid", Type::Uuid),
        ("string", Type::String),
        ("bytes", Type::Bytes),
        ("records", Type::Records),
    ];

    /// The bytes that a value takes when they never differ.
    pub fn width(&self) -> Option<usize> {
        match self {
            Self::Bool | Self::I8 => Some(1),
            Self::I16 | Self::U16 => Some(2),
            Self::I32 => Some(4),
            Self::I64 | Self::F64 => Some(8),
            Self::Uuid => Some(16),
            Self::String | Self::Bytes | Self::Records | Self::Struct(_) => None,
        }
    }

    /// The range of an integer type.
    pub fn limits(&self) -> Option<(i64, i64)> {
        Some(match self {
            Self::I8 => (i8::MIN.into(), i8::MAX.into()),
            Self::I16 => (i16::MIN.into(), i16::MAX.into()),
            Self::I32 => (i32::MIN.into(), i32::MAX.into()),
            Self::I64 => (i64::MIN, i64::MAX),
            Self::U16 => (0, u16::MAX.into()),
            _ => return None,
        })
    }
}

/// The value of a field that the encoded version does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Default {
    /// Zero, false, empty; null for what may be null.
    Plain,
    Integer(i64),
    True,
    /// Not null although it could be.
    Empty,
}
