//! Sizes and limits of recording; all of them a user's to change.

use crate::kind::Home;
use crate::ring::SLOT_BYTES;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// Sizes and limits of recording.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whether calls are recorded: whether a thread gets a ring for them.
    pub calls: bool,
    /// Bytes of slots in a ring of calls.
    pub calls_bytes: u64,
    /// Bytes of slots in a durable ring.
    pub durable_bytes: u64,
    /// All rings of a process together; those of calls take three quarters of it at most.
    pub process_bytes: u64,
    /// All rings of a run together; one of calls is only made while a quarter of it is free.
    pub run_bytes: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { calls: true, calls_bytes: MIB, durable_bytes: 256 * KIB, process_bytes: 96 * MIB, run_bytes: 512 * MIB }
    }
}

/// Of every budget this part is the durable rings' own, so that calls never take the room of what must not be missing.
const DURABLE_PART: u64 = 4;
/// As many rings a process may have, however little they take: a drain looks at each.
const MOST_RINGS: usize = 2048;

impl Settings {
    /// What rings of this home may take of a budget.
    pub(crate) fn share(home: Home, budget: u64) -> u64 {
        if home == Home::Calls { budget - budget / DURABLE_PART } else { budget }
    }

    /// How many of them there may be.
    pub(crate) fn most(home: Home) -> usize {
        if home == Home::Calls { MOST_RINGS / 2 } else { MOST_RINGS }
    }

    /// How many slots a ring gets: a power of two, eight at least.
    pub(crate) fn slots(&self, home: Home) -> usize {
        let bytes = if home == Home::Calls { self.calls_bytes } else { self.durable_bytes };
        let slots = usize::try_from(bytes).unwrap_or(usize::MAX) / SLOT_BYTES;
        // Round down, so that no setting takes more than it says.
        if slots < 8 { 8 } else { 1 << slots.ilog2() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots__any_size__then_a_power_of_two_that_fits() {
        for bytes in [0, 1, 255, 256, 1000, 1 << 20, (1 << 20) - 1] {
            let settings = Settings { calls_bytes: bytes, ..Settings::default() };
            let slots = settings.slots(Home::Calls);
            assert!(slots.is_power_of_two() && slots >= 8);
            assert!(slots == 8 || (slots * SLOT_BYTES) as u64 <= bytes);
        }
    }
}
