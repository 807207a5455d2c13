//! What is recorded, and what comes back: an event is a few numbers; its time, lane and sequence are known only once
//! it has been recorded.

use std::sync::Arc;

use tracer_backend::{Home, Kind, Record, kind, kinds};

/// A text that a tracer has numbered, to be used any number of times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Name(pub(crate) u32);

/// Something that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    pub(crate) home: Home,
    pub(crate) record: Record,
}

impl Event {
    /// A number without a name.
    #[inline]
    #[allow(clippy::cast_possible_truncation)] // the halves of the number
    pub fn new(value: u64) -> Self {
        Self::of(kinds::EVENT, (value >> 32) as u32, value as u32)
    }

    /// A named number.
    #[inline]
    pub fn named(name: Name, value: u32) -> Self {
        Self::of(kinds::POINT, name.0, value)
    }

    /// A line of a log: who says it, and what.
    #[inline]
    pub fn log(logger: Name, message: Name, level: u8) -> Self {
        let mut event = Self::of(kinds::LOG, logger.0, message.0);
        event.record.flags = level & kind::LEVEL_MASK;
        event
    }

    /// Any kind, as the table of kinds says what its fields hold.
    #[inline]
    pub fn of(kind: Kind, id: u32, arg: u32) -> Self {
        Self { home: kind.home(), record: Record { kind: kind.0, id, arg, ..Record::default() } }
    }

    /// The kind.
    pub fn kind(&self) -> Kind {
        Kind(self.record.kind)
    }

    /// The number of an event without a name, or of a named one.
    pub fn value(&self) -> u64 {
        match self.kind() {
            kinds::EVENT => u64::from(self.record.id) << 32 | u64::from(self.record.arg),
            _ => u64::from(self.record.arg),
        }
    }
}

/// An event as it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// What was recorded.
    pub event: Event,
    /// Its name, where its kind has one.
    pub name: Option<Arc<str>>,
    /// Nanoseconds of the machine's monotonic clock.
    pub time_ns: u64,
    /// The thread that recorded it.
    pub thread: u64,
    /// Number of the string that names its scenario, 0 for none.
    pub scenario: u32,
    /// The number that the program gave that thread.
    pub label: Option<u64>,
    /// Counts from 0 without gaps in a lane.
    pub sequence: u64,
}

impl Recorded {
    /// The name of its level.
    pub fn level(&self) -> &'static str {
        kind::level_name(self.event.record.flags)
    }
}

/// A stretch of time: from the first nanosecond up to, but not with, the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeRange {
    from: u64,
    to: u64,
}

impl TimeRange {
    /// All of it.
    pub fn all() -> Self {
        Self { from: 0, to: u64::MAX }
    }

    /// From a moment of the monotonic clock on.
    pub fn since(ns: u64) -> Self {
        Self { from: ns, to: u64::MAX }
    }

    /// Between two moments of the monotonic clock.
    pub fn between(from_ns: u64, to_ns: u64) -> Self {
        Self { from: from_ns, to: to_ns }
    }

    /// Whether a moment lies inside. The end of all time lies in what has no end.
    pub fn holds(&self, ns: u64) -> bool {
        self.from <= ns && (ns < self.to || self.to == u64::MAX)
    }
}
