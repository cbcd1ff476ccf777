//! Reads settings of known names as the types that the broker works with.

use core::time::Duration;

use super::definition::Definition;
use super::error::{Place, SettingError};
use super::value::Value;

/// A value that is not null.
pub(super) struct Found {
    /// The name under which it was given: a topic's setting may come from a broker's.
    pub(super) name: &'static str,
    pub(super) text: String,
    pub(super) place: Place,
}

/// Reads from one set of tables and one place of values.
pub(super) struct Reader<'a> {
    find: fn(&str) -> Option<&'static Definition>,
    value: &'a dyn Fn(&'static Definition) -> Option<Found>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        find: fn(&str) -> Option<&'static Definition>,
        value: &'a dyn Fn(&'static Definition) -> Option<Found>,
    ) -> Self {
        Self { find, value }
    }

    fn found(&self, name: &str) -> (&'static Definition, Option<Found>) {
        let definition = (self.find)(name).expect("the name of a setting in the tables");
        (definition, (self.value)(definition))
    }

    /// The value of a setting that may be null.
    fn optional(&self, name: &str) -> Result<Option<Value>, SettingError> {
        let (definition, found) = self.found(name);
        let Some(Found { name, text, place }) = found else { return Ok(None) };
        parse(definition, name, &text, &place).map(Some)
    }

    fn value(&self, name: &str) -> Result<Value, SettingError> {
        let value = self.optional(name)?;
        Ok(value.expect("a setting whose default is not null"))
    }

    /// That the value of a setting does not fit, for this reason.
    pub(super) fn refuse(&self, name: &str, problem: String) -> SettingError {
        let (definition, found) = self.found(name);
        match found {
            Some(Found { name, text, place }) => {
                let shown = (!definition.is_sensitive()).then_some(text.as_str());
                SettingError::new(place, name, shown, problem)
            }
            None => SettingError::new(Place::Default, name, None, problem),
        }
    }

    /// That the values of two settings do not go together: the error is where the first was given,
    /// or where `other` was if that is nearer to who reads it.
    pub(super) fn refuse_pair(&self, name: &str, other: &str, problem: String) -> SettingError {
        self.refuse_against(name, (self, other), problem)
    }

    /// As [`Reader::refuse_pair`], where the other setting is one of another reader.
    pub(super) fn refuse_against(
        &self,
        name: &str,
        (others, other): (&Reader<'_>, &str),
        problem: String,
    ) -> SettingError {
        let refused = self.refuse(name, problem);
        if others.place(other).distance() >= refused.place.distance() {
            return refused;
        }
        others.refuse(other, format!("does not go with {refused}"))
    }

    pub(super) fn boolean(&self, name: &str) -> Result<bool, SettingError> {
        match self.value(name)? {
            Value::Boolean(value) => Ok(value),
            other => panic!("{name} is no boolean: {other:?}"),
        }
    }

    /// A whole number in a type that may be narrower than the setting's kind.
    pub(super) fn whole<T: TryFrom<i64>>(&self, name: &str) -> Result<T, SettingError> {
        match self.value(name)? {
            Value::Whole(value) => T::try_from(value).map_err(|_| {
                let words = if value < 0 { "a whole number from 0" } else { "a smaller number" };
                self.refuse(name, format!("expected {words}"))
            }),
            other => panic!("{name} is no whole number: {other:?}"),
        }
    }

    /// A whole number of which a negative one means none.
    pub(super) fn whole_or_none<T: TryFrom<i64>>(
        &self,
        name: &str,
    ) -> Result<Option<T>, SettingError> {
        if self.whole::<i64>(name)? < 0 {
            return Ok(None);
        }
        self.whole(name).map(Some)
    }

    pub(super) fn number(&self, name: &str) -> Result<f64, SettingError> {
        match self.value(name)? {
            Value::Number(value) => Ok(value),
            other => panic!("{name} is no number: {other:?}"),
        }
    }

    /// A duration from a setting in milliseconds.
    pub(super) fn millis(&self, name: &str) -> Result<Duration, SettingError> {
        self.whole(name).map(Duration::from_millis)
    }

    /// A duration from a setting in milliseconds, of which a negative number means none.
    pub(super) fn millis_or_none(&self, name: &str) -> Result<Option<Duration>, SettingError> {
        Ok(self.whole_or_none(name)?.map(Duration::from_millis))
    }

    /// A text, which is empty where the setting is null.
    pub(super) fn text(&self, name: &str) -> Result<String, SettingError> {
        match self.optional(name)? {
            None => Ok(String::new()),
            Some(Value::Text(value)) => Ok(value),
            Some(other) => panic!("{name} is no text: {other:?}"),
        }
    }

    /// A list, which is empty where the setting is null.
    pub(super) fn list(&self, name: &str) -> Result<Vec<String>, SettingError> {
        match self.optional(name)? {
            None => Ok(Vec::new()),
            Some(Value::List(items)) => Ok(items),
            Some(other) => panic!("{name} is no list: {other:?}"),
        }
    }

    /// Whether a setting has neither a value nor a default.
    pub(super) fn is_null(&self, name: &str) -> bool {
        self.found(name).1.is_none()
    }

    /// Whether nobody gave a setting a value.
    pub(super) fn is_default(&self, name: &str) -> bool {
        self.place(name) == Place::Default
    }

    /// Where a setting was given.
    pub(super) fn place(&self, name: &str) -> Place {
        self.found(name).1.map_or(Place::Default, |found| found.place)
    }
}

/// Reads a value that was given under a name.
pub(super) fn parse(
    definition: &Definition,
    name: &str,
    text: &str,
    place: &Place,
) -> Result<Value, SettingError> {
    Value::parse(definition, text).map_err(|problem| {
        let shown = (!definition.is_sensitive()).then_some(text);
        SettingError::new(place.clone(), name, shown, problem)
    })
}
