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
        let drains = |slot: &Copied| [kinds::GAP.0, kinds::LANE_END.0].contains(&Record::from_copied(slot).kind);
        first[0] == next + 1
            && last[0] - first[0] + 1 == slots.len() as u64
            && !slots.iter().fold(false, |any, slot| any | drains(slot))
    }

    /// Puts as many as there is room for into their places.
    pub(crate) fn fill(&self, slots: &[Copied], lane: &mut LaneState, room: &mut Room<'_>) {
        let count = room.time.len().min(slots.len());
        let slots = &slots[..count];
        let Some(first) = slots.first().map(|slot| slot[0] - 1) else { return };
        room.lane[..count].fill(self.lane);
        room.duration[..count].fill(0);
        room.sequence[..count].iter_mut().zip(first..).for_each(|(to, sequence)| *to = sequence);
        let (time, kind, flags) = (&mut room.time[..count], &mut room.kind[..count], &mut room.flags[..count]);
        let (depth, scenario) = (&mut room.depth[..count], &mut room.scenario[..count]);
        let (id, arg) = (&mut room.id[..count], &mut room.arg[..count]);
        // Records of one scenario come in long rows: it is looked up where it changes.
        let mut of_all = (0, 0);
        for (at, slot) in slots.iter().enumerate() {
            let record = Record::from_copied(slot);
            time[at] = self.scale.ns(record.time);
            kind[at] = record.kind;
            flags[at] = record.flags;
            depth[at] = record.depth;
            if record.scenario != of_all.0 {
                of_all = (record.scenario, self.texts.of(record.scenario));
            }
            scenario[at] = of_all.1;
            let meanings = MEANINGS[usize::from(record.kind & 63)];
            id[at] = self.texts.told(meanings.0, record.id);
            arg[at] = self.texts.told(meanings.1, record.arg);
        }
        lane.feed_all(room, count, first);
    }
}

/// What `id` and `arg` hold, by kind; numbers where the kind is not known.
static MEANINGS: [(Meaning, Meaning); 64] = {
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
