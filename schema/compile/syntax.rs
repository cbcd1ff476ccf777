//! What a file says, before anything is known to make sense.

use super::versions::Versions;

/// One text file; its name becomes the name of the Rust module.
#[derive(Debug)]
pub struct File {
    pub path: String,
    pub doc: Vec<String>,
    pub items: Vec<Item>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keyword {
    Api,
    Record,
    Data,
    Struct,
}

/// A definition that starts at the margin: `api`, `record`, `data` or `struct`.
#[derive(Debug)]
pub struct Item {
    pub line: usize,
    pub doc: Vec<String>,
    pub keyword: Keyword,
    pub name: String,
    /// The key of an API, the type of a record.
    pub number: Option<i16>,
    pub versions: Option<Versions>,
    pub flexible: Option<Flexible>,
    pub sections: Vec<Section>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flexible {
    Never,
    From(i16),
}

/// `request`, `response`, `key` or `value`; for `data` and `struct` the body, without a name.
#[derive(Debug)]
pub struct Section {
    pub line: usize,
    pub name: String,
    pub fields: Vec<Field>,
}

#[derive(Debug, Default)]
pub struct Field {
    pub line: usize,
    pub doc: Vec<String>,
    pub name: String,
    pub type_name: String,
    pub array: bool,
    /// A `?` behind the type: null wherever the field exists.
    pub optional: bool,
    pub versions: Option<Versions>,
    /// `nullable 7+`: null in some versions only.
    pub nullable: Option<Versions>,
    pub tag: Option<u32>,
    /// Keeps the classic encoding in flexible versions.
    pub classic: bool,
    pub default: Option<String>,
    /// The body of a struct that is defined where it is used.
    pub fields: Option<Vec<Field>>,
}
