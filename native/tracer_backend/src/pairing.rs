//! What is kept of a lane between two looks at it: how far it is known, which calls are open, and what became of it.
//! The same rows give the same state, whether they are being drained or read back by a drain that starts anew.

use crate::kind::{Kind, UNPAIRED};
use crate::kinds;
use crate::row::Row;
use crate::waiting::Room;

/// Open calls further out than this are not looked at for a match.
const REACH: usize = 256;
/// More open calls than any stack has; what is beyond stays unpaired.
const DEEPEST: usize = 1 << 16;

/// The state of one lane.
#[derive(Clone, Debug, Default)]
pub(crate) struct LaneState {
    /// The sequence that comes next.
    pub(crate) next: u64,
    /// Whether the end was told.
    pub(crate) ended: bool,
    last: u64,
    open: Vec<(u32, u64)>,
}

impl LaneState {
    /// Takes the next row of the lane: puts in what only its predecessors can tell, and notes what its successors
    /// will need. Inlined, and without a reference to the row going anywhere, so that it is made where it is kept.
    #[inline(always)]
    #[allow(clippy::inline_always)] // a row that is handed over is written once more, and waited for
    pub(crate) fn feed(&mut self, row: &mut Row) {
        // Counters of two processors may be some ticks apart; a lane never goes back.
        row.time = row.time.max(self.last);
        self.last = row.time;
        self.next = row.sequence + 1;
        match Kind(row.kind) {
            kinds::ENTER => row.depth = self.begin(row.id, row.time, row.depth),
            kinds::EXIT | kinds::UNWIND => match self.close(row.id) {
                Some((began, depth)) => {
                    row.duration = row.time - began;
                    row.depth = if row.depth == 0 { depth } else { row.depth };
                }
                None => row.flags |= UNPAIRED,
            },
            kinds::GAP => {
                self.next = row.sequence + u64::from(row.arg);
                // Whether an open call ended among what is lost, nobody knows.
                self.open.clear();
            }
            kinds::LANE_END => {
                self.next = row.sequence;
                self.ended = true;
            }
            _ => {}
        }
    }

    /// The same for the next rows at once, which follow each other from this sequence on; none is a gap or an end. They
    /// have no duration yet. Apart from what is inlined: it needs all the registers that there are.
    #[inline(never)]
    pub(crate) fn feed_all(&mut self, room: &mut Room<'_>, first: u64) {
        let count = room.time.len();
        self.keep_order(room.time);
        self.next = first + count as u64;
        let (time, kind, id) = (&room.time[..count], &room.kind[..count], &room.id[..count]);
        let (duration, depth, flags) =
            (&mut room.duration[..count], &mut room.depth[..count], &mut room.flags[..count]);
        let ends = |kind: u8| kind == kinds::EXIT.0 || kind == kinds::UNWIND.0;
        let mut at = 0;
        while at < count {
            if kind[at] == kinds::ENTER.0 {
                let next = at + 1;
                if next < count && id[at] == id[next] && ends(kind[next]) && self.open.len() < DEEPEST {
                    // A call that calls nobody is over at once, and need not be remembered.
                    let deep = u16::try_from(self.open.len()).unwrap_or(u16::MAX);
                    duration[next] = time[next] - time[at];
                    if depth[at] == 0 {
                        depth[at] = deep;
                    }
                    if depth[next] == 0 {
                        depth[next] = deep;
                    }
                    at = next;
                } else {
                    depth[at] = self.begin(id[at], time[at], depth[at]);
                }
            } else if ends(kind[at]) {
                match self.close(id[at]) {
                    Some((began, deep)) => {
                        duration[at] = time[at] - began;
                        depth[at] = if depth[at] == 0 { deep } else { depth[at] };
                    }
                    None => flags[at] |= UNPAIRED,
                }
            }
            at += 1;
        }
    }

    /// A lane never goes back.
    fn keep_order(&mut self, times: &mut [u64]) {
        // Counted, not searched: a processor compares many at once.
        let falls: usize = times.iter().zip(times.iter().skip(1)).map(|(one, next)| usize::from(one > next)).sum();
        if falls > 0 || times.first().is_some_and(|first| *first < self.last) {
            for time in &mut *times {
                *time = self.last.max(*time);
                self.last = *time;
            }
        }
        self.last = times.last().copied().unwrap_or(self.last);
    }

    /// A call begins; how deep it is, where its record does not say.
    #[inline]
    fn begin(&mut self, id: u32, time: u64, told: u16) -> u16 {
        let depth = if told == 0 { u16::try_from(self.open.len()).unwrap_or(u16::MAX) } else { told };
        if self.open.len() < DEEPEST {
            self.open.push((id, time));
        }
        depth
    }

    /// When the innermost open call of that name began, and how deep it was. What is open inside it is over, too.
    #[inline]
    fn close(&mut self, id: u32) -> Option<(u64, u16)> {
        // Mostly it is the last that began.
        if let Some((_, began)) = self.open.pop_if(|(open, _)| *open == id) {
            return Some((began, u16::try_from(self.open.len()).unwrap_or(u16::MAX)));
        }
        let reach = self.open.len().saturating_sub(REACH);
        let at = reach + self.open[reach..].iter().rposition(|(open, _)| *open == id)?;
        let (_, began) = self.open[at];
        self.open.truncate(at);
        Some((began, u16::try_from(at).unwrap_or(u16::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fed(state: &mut LaneState, kind: Kind, id: u32, time: u64) -> Row {
        let mut row = Row { kind: kind.0, id, time, sequence: state.next, ..Row::default() };
        state.feed(&mut row);
        row
    }

    #[test]
    fn exits__of_nested_calls__then_each_with_its_own_duration_and_depth() {
        let mut state = LaneState::default();
        fed(&mut state, kinds::ENTER, 1, 10);
        assert_eq!(fed(&mut state, kinds::ENTER, 2, 20).depth, 1);
        let inner = fed(&mut state, kinds::UNWIND, 2, 25);
        let outer = fed(&mut state, kinds::EXIT, 1, 40);
        assert_eq!((inner.duration, inner.depth, outer.duration, outer.depth), (5, 1, 30, 0));
        assert_eq!(state.next, 4);
    }

    #[test]
    fn exit__of_an_outer_call__then_the_inner_ones_are_over() {
        let mut state = LaneState::default();
        for id in 1..4 {
            fed(&mut state, kinds::ENTER, id, 10);
        }
        assert_eq!(fed(&mut state, kinds::EXIT, 1, 30).duration, 20);
        let alone = fed(&mut state, kinds::EXIT, 3, 31);
        assert_eq!((alone.duration, alone.flags), (0, UNPAIRED));
    }

    #[test]
    fn exit__after_a_gap__then_no_duration_is_made_up() {
        let mut state = LaneState::default();
        fed(&mut state, kinds::ENTER, 1, 10);
        let mut gap = Row { kind: kinds::GAP.0, arg: 50, sequence: 1, ..Row::default() };
        state.feed(&mut gap);
        assert_eq!((state.next, gap.time), (51, 10));
        assert_eq!(fed(&mut state, kinds::EXIT, 1, 20).flags, UNPAIRED);
    }

    #[test]
    fn time__that_goes_back__then_stands_still() {
        let mut state = LaneState::default();
        fed(&mut state, kinds::EVENT, 0, 10);
        assert_eq!(fed(&mut state, kinds::EVENT, 0, 7).time, 10);
    }
}
