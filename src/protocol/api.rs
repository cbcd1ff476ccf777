use core::fmt;
use core::ops::RangeInclusive;

include!(concat!(env!("OUT_DIR"), "/api_keys.rs"));

struct Api {
    key: ApiKey,
    name: &'static str,
    versions: RangeInclusive<i16>,
    flexible_from: Option<i16>,
}

const KEY_MAX: usize = APIS[APIS.len() - 1].key as usize;

/// For each key its place in the table.
static PLACES: [Option<u8>; KEY_MAX + 1] = {
    let mut places = [None; KEY_MAX + 1];
    let mut place = 0;
    while place < APIS.len() {
        places[APIS[place].key as usize] = Some(place as u8);
        place += 1;
    }
    places
};

impl ApiKey {
    /// The API with a key, if it is defined here.
    #[inline]
    pub fn from_key(key: i16) -> Option<Self> {
        let place = (*PLACES.get(usize::try_from(key).ok()?)?)?;
        Some(APIS[usize::from(place)].key)
    }

    /// All APIs in the order of their keys.
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        APIS.iter().map(|api| api.key)
    }

    /// The key on the wire.
    #[inline]
    pub const fn key(self) -> i16 {
        self as i16
    }

    fn row(self) -> &'static Api {
        let place = PLACES[self as usize].expect("each API has a place");
        &APIS[usize::from(place)]
    }

    /// The name as Kafka spells it.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The versions that are defined, which may be more than what is served.
    pub fn versions(self) -> RangeInclusive<i16> {
        self.row().versions.clone()
    }

    /// The first version with variable lengths and tagged fields.
    pub fn flexible_from(self) -> Option<i16> {
        self.row().flexible_from
    }

    /// The version of the header in front of a request. Defined for every version, also for one
    /// that is too new: the answer to it needs the correlation id.
    #[inline]
    pub fn request_header_version(self, version: i16) -> i16 {
        if self.is_flexible(version) { 2 } else { 1 }
    }

    /// The version of the header in front of a response.
    #[inline]
    pub fn response_header_version(self, version: i16) -> i16 {
        // A client that asks for versions cannot know yet which header it will be able to read.
        i16::from(self.is_flexible(version) && self != Self::ApiVersions)
    }

    fn is_flexible(self, version: i16) -> bool {
        self.flexible_from().is_some_and(|first| version >= first)
    }
}

impl fmt::Display for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
