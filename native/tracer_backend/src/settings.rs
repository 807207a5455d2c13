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
    /// All rings of a process together.
    pub process_bytes: u64,
    /// All rings of a run together.
    pub run_bytes: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { calls: true, calls_bytes: MIB, durable_bytes: 256 * KIB, process_bytes: 96 * MIB, run_bytes: 512 * MIB }
    }
}

impl Settings {
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
