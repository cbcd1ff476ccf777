//! What is known of one setting, and the constructors that the tables are written with.

/// The type of a setting's value, as Kafka names it to clients.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// `true` or `false` in any case.
    Boolean,
    /// Any text.
    Text,
    /// A whole number of 32 bits.
    Int,
    /// A whole number of 16 bits.
    Short,
    /// A whole number of 64 bits.
    Long,
    /// A number with a fraction.
    Double,
    /// Texts with commas between them.
    List,
    /// The name of a Java class.
    Class,
    /// A text that is never shown.
    Password,
}

impl Kind {
    /// The range of a whole number of this kind; none for other kinds.
    pub(super) fn whole_range(self) -> Option<(i64, i64)> {
        match self {
            Self::Short => Some((i16::MIN.into(), i16::MAX.into())),
            Self::Int => Some((i32::MIN.into(), i32::MAX.into())),
            Self::Long => Some((i64::MIN, i64::MAX)),
            _ => None,
        }
    }
}

/// Which values of its kind a setting may have.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Allowed {
    /// All of them.
    Any,
    /// Whole numbers in a range, both ends included.
    Whole {
        /// The smallest.
        from: i64,
        /// The largest.
        to: i64,
    },
    /// Whole numbers in a range, or one other.
    WholeOr {
        /// The smallest.
        from: i64,
        /// The largest.
        to: i64,
        /// The other.
        or: i64,
    },
    /// Numbers in a range, both ends included.
    Number {
        /// The smallest.
        from: f64,
        /// The largest.
        to: f64,
    },
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// One of these texts, in any case.
    OneOfAnyCase(&'static [&'static str]),
    /// A list with at least one item and none that is empty.
    Items,
    /// A list without an item that is empty.
    ItemsOrNone,
    /// At least one of these items.
    SomeOf(&'static [&'static str]),
    /// Any of these items, or none.
    SomeOfOrNone(&'static [&'static str]),
    /// A text with at least one character.
    NotEmpty,
    /// A list of `partition:broker`, or `*`.
    ThrottledReplicas,
    /// `earliest`, `latest` or `by_duration:` with a duration such as `PT1H`.
    OffsetReset,
}

impl Allowed {
    /// Whether these are lists whose items count once each, however often they are given.
    pub(super) fn is_set(self) -> bool {
        matches!(self, Self::Items | Self::ItemsOrNone | Self::SomeOf(_) | Self::SomeOfOrNone(_))
    }
}

/// When a setting may change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Update {
    /// Only with a restart.
    ReadOnly,
    /// While the broker runs, for each broker by itself.
    PerBroker,
    /// While the broker runs, for one broker or for all.
    ClusterWide,
    /// At any time: settings of topics, groups and clients.
    Dynamic,
}

/// Whether a setting does anything here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// It does what its documentation says.
    Effective,
    /// It is accepted, kept and described, and does nothing, for this reason.
    NoEffect(&'static str),
}

/// A broker setting that another setting defaults to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Inherited {
    /// The broker setting's name.
    pub name: &'static str,
    /// What its value is multiplied with: hours and minutes become milliseconds.
    pub factor: i64,
}

/// What is known of one setting.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Definition {
    /// Its name.
    pub name: &'static str,
    /// The type of its value.
    pub kind: Kind,
    /// Its default as text; none where it is null, or computed at start.
    pub default: Option<&'static str>,
    /// Which values it may have.
    pub allowed: Allowed,
    /// When it may change.
    pub update: Update,
    /// Whether it does anything here.
    pub effect: Effect,
    /// What it means, in one sentence.
    pub documentation: &'static str,
    /// For topics and groups: the broker settings it defaults to, the first that is set.
    pub inherited: &'static [Inherited],
    /// Whether Kafka describes it only where it is set.
    pub internal: bool,
}

impl Definition {
    /// Whether its value is never shown.
    pub fn is_sensitive(&self) -> bool {
        self.kind == Kind::Password
    }

    pub(super) const fn internal(mut self) -> Self {
        self.internal = true;
        self
    }
}

/// A setting of brokers.
pub(super) const fn row(
    name: &'static str,
    kind: Kind,
    default: Option<&'static str>,
    allowed: Allowed,
    update: Update,
    effect: Effect,
    documentation: &'static str,
) -> Definition {
    let (inherited, internal) = (&[], false);
    Definition { name, kind, default, allowed, update, effect, documentation, inherited, internal }
}

/// A setting of topics, groups or clients, with the broker settings it defaults to.
pub(super) const fn inheriting(
    name: &'static str,
    kind: Kind,
    default: Option<&'static str>,
    allowed: Allowed,
    inherited: &'static [Inherited],
    effect: Effect,
    documentation: &'static str,
) -> Definition {
    let (update, internal) = (Update::Dynamic, false);
    Definition { name, kind, default, allowed, update, effect, documentation, inherited, internal }
}

/// Whole numbers that are not below `from`.
pub(super) const fn from(from: i64) -> Allowed {
    Allowed::Whole { from, to: i64::MAX }
}

/// Whole numbers in a range, both ends included.
pub(super) const fn between(from: i64, to: i64) -> Allowed {
    Allowed::Whole { from, to }
}

/// The broker setting of that name as it stands.
pub(super) const fn same(name: &'static str) -> Inherited {
    Inherited { name, factor: 1 }
}

/// A broker setting in minutes for one in milliseconds.
pub(super) const fn minutes(name: &'static str) -> Inherited {
    Inherited { name, factor: 60_000 }
}

/// A broker setting in hours for one in milliseconds.
pub(super) const fn hours(name: &'static str) -> Inherited {
    Inherited { name, factor: 3_600_000 }
}

pub(super) const INT_MAX: Option<&str> = Some("2147483647");
pub(super) const LONG_MAX: Option<&str> = Some("9223372036854775807");

pub(super) const CLEANUP_POLICIES: Allowed = Allowed::SomeOfOrNone(&["compact", "delete"]);
pub(super) const CODECS: Allowed =
    Allowed::OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]);
pub(super) const DURABILITIES: Allowed = Allowed::OneOf(&["disk", "memory"]);
pub(super) const GZIP_LEVELS: Allowed = Allowed::WholeOr { from: 1, to: 9, or: -1 };
pub(super) const TIMESTAMP_TYPES: Allowed = Allowed::OneOf(&["CreateTime", "LogAppendTime"]);
