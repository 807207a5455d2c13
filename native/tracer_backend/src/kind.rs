//! What a record can be, as a value: a number with facts from the one table. An unknown number is kept and named by
//! its digits, so that an older reader goes on over a newer writer.

use std::borrow::Cow;

use crate::kinds::{LEVELS, TABLE};

/// The part of `flags` that holds the level.
pub const LEVEL_MASK: u8 = 0b111;
/// In `flags` of an exit: the drain saw no beginning of this call, so that its duration is not known.
pub const UNPAIRED: u8 = 0b1000;

/// The kind of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Kind(pub u8);

/// What a field of a record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// It is 0.
    Nothing,
    /// A number for its own sake.
    Number,
    /// The number of a string.
    Text,
}

/// Which ring a record goes into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Home {
    /// The ring that floods of calls go through.
    Calls,
    /// The ring that they cannot reach.
    Durable,
    /// None: the drain writes these.
    Drain,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// The kind.
    pub kind: Kind,
    /// Its name, as filters and screens say it.
    pub name: &'static str,
    /// Its ring.
    pub home: Home,
    /// What `id` holds.
    pub id: Meaning,
    /// What `arg` holds.
    pub arg: Meaning,
}

impl Kind {
    /// The row of the table, where there is one.
    pub fn facts(self) -> Option<&'static Facts> {
        TABLE.iter().find(|facts| facts.kind == self)
    }

    /// The name, or the digits of a kind that is newer than this reader.
    pub fn name(self) -> Cow<'static, str> {
        self.facts().map_or_else(|| Cow::Owned(self.0.to_string()), |facts| Cow::Borrowed(facts.name))
    }

    /// The kind of that name.
    pub fn named(name: &str) -> Option<Self> {
        TABLE.iter().find(|facts| facts.name == name).map(|facts| facts.kind)
    }

    /// Every kind there is.
    pub fn all() -> impl Iterator<Item = &'static Facts> {
        TABLE.iter()
    }

    /// The ring of its records, by the ranges that the table's numbers stand in.
    #[inline]
    pub const fn home(self) -> Home {
        match self.0 {
            0..16 => Home::Calls,
            16..48 => Home::Durable,
            _ => Home::Drain,
        }
    }

    /// As a bit of a set of kinds.
    pub fn bit(self) -> u64 {
        1 << (self.0 & 63)
    }
}

/// The name of the level in `flags`.
pub fn level_name(flags: u8) -> &'static str {
    LEVELS.get(usize::from(flags & LEVEL_MASK)).copied().unwrap_or("none")
}

/// The level of that name.
pub fn level_named(name: &str) -> Option<u8> {
    LEVELS.iter().position(|level| *level == name).and_then(|at| u8::try_from(at).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds;

    #[test]
    fn kind__by_its_name__then_itself() {
        for facts in Kind::all() {
            assert_eq!(Kind::named(facts.name), Some(facts.kind));
            assert_eq!(facts.kind.name(), facts.name);
            assert_eq!(facts.kind.home(), facts.home, "{}", facts.name);
        }
        assert_eq!(kinds::ENTER.0, 1);
    }

    #[test]
    fn kind__newer_than_the_table__then_named_by_its_digits() {
        assert_eq!(Kind(63).name(), "63");
        assert!(Kind::named("63").is_none());
    }

    #[test]
    fn level__through_flags__then_its_name() {
        assert_eq!(level_named("error"), Some(5));
        assert_eq!(level_name(5 | UNPAIRED), "error");
        assert_eq!(level_name(7), "none");
    }
}
