//! Where the strings of a segment are, by their numbers: texts and lanes are held, payloads lie in the file alone. A
//! flood of log lines so needs eight bytes for each line, however long it is.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;

use crate::strings::Tag;

/// Marks a place that is among those that are held.
const HELD: u64 = 1 << 63;
/// So many payloads are recognised again at least, and twice as many at most.
pub(crate) const RECOGNISED: usize = 1 << 14;

/// Where a string is.
#[derive(Debug)]
pub(crate) enum Place<'a> {
    /// Here.
    Held(Tag, &'a Arc<[u8]>),
    /// A payload, in the file, from there on.
    At(u64),
}

/// The places of all strings.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    places: Vec<u64>,
    held: Vec<(Tag, Arc<[u8]>)>,
}

impl Numbers {
    /// The number of the next string.
    pub(crate) fn next(&self) -> u32 {
        u32::try_from(self.places.len() + 1).unwrap_or(u32::MAX)
    }

    /// The next string is held.
    pub(crate) fn hold(&mut self, tag: Tag, body: Arc<[u8]>) {
        self.places.push(HELD | self.held.len() as u64);
        self.held.push((tag, body));
    }

    /// The next string is a payload that begins there in the file.
    pub(crate) fn leave(&mut self, at: u64) {
        self.places.push(at & !HELD);
    }

    /// Where a string is; nothing where there is none of that number.
    pub(crate) fn place(&self, number: u32) -> Option<Place<'_>> {
        let at = usize::try_from(number.checked_sub(1)?).ok()?;
        self.places.get(at).and_then(|place| self.placed(*place))
    }

    fn placed(&self, place: u64) -> Option<Place<'_>> {
        if place & HELD == 0 {
            return Some(Place::At(place));
        }
        let held = usize::try_from(place & !HELD).ok().and_then(|at| self.held.get(at));
        held.map(|(tag, body)| Place::Held(*tag, body))
    }

    /// The places of all, the first has number 1.
    pub(crate) fn all(&self) -> impl Iterator<Item = Place<'_>> {
        self.places.iter().filter_map(|place| self.placed(*place))
    }

    /// How many bodies are held.
    pub(crate) fn bodies(&self) -> usize {
        self.held.len()
    }
}

/// The numbers of payloads that came last, by fingerprints of two hashes with secret keys: nobody makes two payloads
/// that are alike in both, and no body is held to tell them apart.
#[derive(Debug, Default)]
pub(crate) struct Recognised {
    keys: (RandomState, RandomState),
    young: HashMap<(u64, u64), u32>,
    old: HashMap<(u64, u64), u32>,
}

impl Recognised {
    pub(crate) fn fingerprint(&self, body: &[u8]) -> (u64, u64) {
        (self.keys.0.hash_one(body), self.keys.1.hash_one(body))
    }

    /// The number of a payload that came lately. One that comes again and again stays.
    pub(crate) fn number(&mut self, print: (u64, u64)) -> Option<u32> {
        if let Some(number) = self.young.get(&print) {
            return Some(*number);
        }
        let number = self.old.get(&print).copied()?;
        self.add(print, number);
        Some(number)
    }

    pub(crate) fn add(&mut self, print: (u64, u64), number: u32) {
        if self.young.len() >= RECOGNISED {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(print, number);
    }

    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.young.len() + self.old.len()
    }
}
