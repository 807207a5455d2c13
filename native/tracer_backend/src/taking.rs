//! From the records of a ring to events, many at once: first what a record tells by itself, column by column, then what
//! only its predecessors in the lane can tell. Where something is missing between them, the drain takes one at a time;
//! the events are the same.

use crate::clock::Scale;
use crate::kind::Meaning;
use crate::kinds;
use crate::pairing::LaneState;
use crate::ring::{Copied, Record};
use crate::row::Row;
use crate::waiting::Room;
use crate::wide::wide;

/// The numbers that the strings of a process have in the box, by their numbers there.
#[derive(Debug)]
pub(crate) struct Texts(Vec<u32>);

impl Texts {
    /// None so far: 0 is nobody's string anywhere.
    pub(crate) fn none() -> Self {
        Self(vec![0])
    }

    pub(crate) fn add(&mut self, number: u32) {
        self.0.push(number);
    }

    #[inline]
    fn of(&self, number: u32) -> u32 {
        self.0.get(usize::try_from(number).unwrap_or(usize::MAX)).copied().unwrap_or(0)
    }

    #[inline]
    fn told(&self, meaning: Meaning, value: u32) -> u32 {
        if meaning == Meaning::Text { self.of(value) } else { value }
    }
}

/// What the records of one look have in common.
pub(crate) struct Taking<'a> {
    pub(crate) texts: &'a Texts,
    pub(crate) scale: Scale,
    /// The number of their lane.
    pub(crate) lane: u32,
}

impl Taking<'_> {
    /// One record as an event, without what its predecessors tell.
    #[inline]
    pub(crate) fn row(&self, slot: &Copied) -> Row {
        let record = Record::from_copied(slot);
        let (id, arg) = MEANINGS[usize::from(record.kind & 63)];
        Row {
            time: self.scale.ns(record.time),
            duration: 0,
            kind: record.kind,
            flags: record.flags,
            depth: record.depth,
            lane: self.lane,
            scenario: self.texts.of(record.scenario),
            id: self.texts.told(id, record.id),
            arg: self.texts.told(arg, record.arg),
            sequence: slot[0] - 1,
        }
    }

    /// Whether these follow each other from `next` on, and none is what only a drain writes.
    pub(crate) fn in_a_row(slots: &[Copied], next: u64) -> bool {
        let (Some(first), Some(last)) = (slots.first(), slots.last()) else { return false };
        first[0] == next + 1 && last[0] - first[0] + 1 == slots.len() as u64 && !any_of_drain(slots)
    }

    /// Puts as many as there are places into their places. Apart from what is inlined: it needs all the registers there are.
    #[inline(never)]
    pub(crate) fn fill(&self, slots: &[Copied], lane: &mut LaneState, room: &mut Room<'_>) {
        let Some(first) = slots.first().map(|slot| slot[0] - 1) else { return };
        let kinds = spread(slots, &self.scale, room);
        room.lane.fill(self.lane);
        room.duration.fill(0);
        room.sequence.iter_mut().zip(first..).for_each(|(to, sequence)| *to = sequence);
        self.name(kinds, room);
        lane.feed_all(room, first);
    }

    /// Puts the numbers of the box in place of those of the process.
    fn name(&self, kinds: u64, room: &mut Room<'_>) {
        let scenario = &mut *room.scenario;
        // Records of one scenario come in long rows.
        let of_all = scenario.first().copied().unwrap_or(0);
        if scenario.iter().fold(0, |other, scenario| other | (scenario ^ of_all)) == 0 {
            scenario.fill(self.texts.of(of_all));
        } else {
            for scenario in scenario {
                *scenario = self.texts.of(*scenario);
            }
        }
        for (values, named) in [(&mut *room.id, &NAMED.0), (&mut *room.arg, &NAMED.1)] {
            if kinds & !named == 0 {
                for value in values {
                    *value = self.texts.of(*value);
                }
            } else if kinds & named != 0 {
                for (value, kind) in values.iter_mut().zip(&*room.kind) {
                    if named >> (kind & 63) & 1 != 0 {
                        *value = self.texts.of(*value);
                    }
                }
            }
        }
    }
}

/// So many records are turned at a time: as many as stay nearest to a processor.
pub(crate) const PIECE: usize = 256;

/// Takes records apart, as many as there are places; what kinds there are, each a bit. Durations and sequences are
/// still to be put in.
#[inline(always)]
#[allow(clippy::inline_always, clippy::cast_possible_truncation)] // for the instructions that its caller may use; cut on purpose
fn spread_any(slots: &[Copied], scale: &Scale, to: &mut Room<'_>) -> u64 {
    // The words first, each beside its like; two of them lie where what belongs there is put last.
    let (time, what, ids) = (&mut *to.time, &mut *to.sequence, &mut *to.duration);
    for (((slot, time), what), ids) in slots.iter().zip(&mut *time).zip(&mut *what).zip(&mut *ids) {
        [_, *time, *what, *ids] = *slot;
    }
    scale.all(time);
    to.kind.iter_mut().zip(&*what).for_each(|(to, what)| *to = *what as u8);
    to.flags.iter_mut().zip(&*what).for_each(|(to, what)| *to = (*what >> 8) as u8);
    to.depth.iter_mut().zip(&*what).for_each(|(to, what)| *to = (*what >> 16) as u16);
    to.scenario.iter_mut().zip(&*what).for_each(|(to, what)| *to = (*what >> 32) as u32);
    to.id.iter_mut().zip(&*ids).for_each(|(to, ids)| *to = *ids as u32);
    to.arg.iter_mut().zip(&*ids).for_each(|(to, ids)| *to = (*ids >> 32) as u32);
    what.iter().fold(0, |kinds, what| kinds | 1 << (*what & 63))
}

/// Whether any is of a kind that only a drain writes.
#[inline(always)]
#[allow(clippy::inline_always)] // as above
fn any_of_drain_any(slots: &[Copied]) -> bool {
    slots.iter().fold(false, |any, slot| {
        let kind = slot[2] & 0xff;
        any | (kind == u64::from(kinds::GAP.0)) | (kind == u64::from(kinds::LANE_END.0))
    })
}

wide! {
    fn spread(slots: &[Copied], scale: &Scale, to: &mut Room<'_>) -> u64 = spread_any;
    fn any_of_drain(slots: &[Copied]) -> bool = any_of_drain_any;
}

/// The kinds whose `id` is a string, each a bit, and those whose `arg` is one.
static NAMED: (u64, u64) = {
    let mut named = (0, 0);
    let mut at = 0;
    while at < MEANINGS.len() {
        if matches!(MEANINGS[at].0, Meaning::Text) {
            named.0 |= 1 << at;
        }
        if matches!(MEANINGS[at].1, Meaning::Text) {
            named.1 |= 1 << at;
        }
        at += 1;
    }
    named
};

/// What `id` and `arg` hold, by kind; numbers where the kind is not known.
const MEANINGS: [(Meaning, Meaning); 64] = {
    let mut table = [(Meaning::Number, Meaning::Number); 64];
    let mut at = 0;
    while at < kinds::TABLE.len() {
        let facts = &kinds::TABLE[at];
        table[facts.kind.0 as usize] = (facts.id, facts.arg);
        at += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::waiting::Waiting;

    fn slots(count: u64, mut random: u64, kinds: &[u8]) -> Vec<Copied> {
        let mut next = move |most: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % most
        };
        (0..count)
            .map(|n| {
                let small = |value: u64| u32::try_from(value).unwrap();
                let record = Record {
                    time: n * 3 + next(9),
                    kind: kinds[usize::try_from(next(kinds.len() as u64)).unwrap()],
                    flags: u8::try_from(next(256)).unwrap(),
                    depth: u16::try_from(next(3)).unwrap(),
                    scenario: small(next(3)),
                    id: small(next(12)),
                    arg: small(next(40)),
                };
                let [time, what, ids] = record.words();
                [n + 101, time, what, ids]
            })
            .collect()
    }

    fn taking(texts: &Texts) -> Taking<'_> {
        let at = |tsc, monotonic_ns| Clock { tsc, monotonic_ns, realtime_ns: 0, spread_ns: 0, flags: 0 };
        Taking { texts, scale: Scale::new(true, &at(0, 500), &at(3000, 2500)), lane: 7 }
    }

    #[test]
    fn fill__records_of_any_kind__then_the_events_of_one_at_a_time_and_the_same_state_behind_them() {
        let mut texts = Texts::none();
        (1..10).for_each(|n| texts.add(n * 11));
        let taking = taking(&texts);
        for seed in 0..200 {
            let kinds: &[u8] = if seed % 2 == 0 { &[1, 2, 2, 3] } else { &[0, 1, 2, 3, 4, 5, 20, 21, 63, 64, 65, 255] };
            let slots = slots(300, seed, kinds);
            assert!(Taking::in_a_row(&slots, 100));
            let (mut single, mut many) = (LaneState::default(), LaneState::default());
            let wanted: Vec<Row> = slots
                .iter()
                .map(|slot| {
                    let mut row = taking.row(slot);
                    single.feed(&mut row);
                    row
                })
                .collect();
            let mut waiting = Waiting::default();
            for piece in slots.chunks(70) {
                taking.fill(piece, &mut many, &mut waiting.room(piece.len()));
            }
            assert_eq!(waiting.rows().collect::<Vec<_>>(), wanted, "seed {seed}");
            assert_eq!(format!("{many:?}"), format!("{single:?}"), "seed {seed}");
        }
    }

    #[test]
    fn spread__by_any_registers__then_the_same() {
        let texts = Texts::none();
        let scale = taking(&texts).scale;
        for (seed, count) in [0, 1, 7, 31, 255, 256].into_iter().enumerate() {
            let slots = slots(count, seed as u64, &[0, 1, 2, 3, 4, 20, 48, 255]);
            let (mut one, mut other) = (Waiting::default(), Waiting::default());
            let kinds = spread(&slots, &scale, &mut one.room(slots.len()));
            assert_eq!(kinds, spread_any(&slots, &scale, &mut other.room(slots.len())));
            assert_eq!(one.rows().collect::<Vec<_>>(), other.rows().collect::<Vec<_>>());
            assert_eq!(any_of_drain(&slots), any_of_drain_any(&slots));
        }
    }

    #[test]
    fn in_a_row__something_missing_or_a_kind_that_only_a_drain_writes__then_not() {
        let whole = slots(20, 1, &[1, 2]);
        assert!(Taking::in_a_row(&whole, 100) && !Taking::in_a_row(&whole, 99) && !Taking::in_a_row(&[], 0));
        let mut without = whole.clone();
        without.remove(5);
        assert!(!Taking::in_a_row(&without, 100));
        for kind in [kinds::GAP, kinds::LANE_END] {
            let mut strange = whole.clone();
            strange[9][2] = kind.0.into();
            assert!(!Taking::in_a_row(&strange, 100));
        }
    }
}
