//! Calls and moments of a stretch of time, folded to the columns of a screen: lane by lane, depth by depth.
//!
//! What is held is bounded by the screen and never by the trace: calls narrower than a column lie together with their
//! neighbours in the same column, and of the moments in a column the worst stands for all.

use std::collections::HashMap;
use std::ops::Range;

use tracer_backend::kind::{LEVEL_MASK, UNPAIRED};
use tracer_backend::{Kind, Row, kinds};

/// More calls and moments than any screen has lanes and columns for: what is beyond is counted among the rows alone, so
/// that a file with billions of lanes, which nobody wrote by running tests, is not held in memory.
const MOST_HELD: usize = 1 << 18;

/// A call, or several that lie in one column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The row that ended the longest of them; of one that is still open, the row that began it.
    pub row: Row,
    /// How deep the stack of calls was.
    pub depth: u16,
    /// From where to where, as far as it lies in what was asked for.
    pub time: (u64, u64),
    /// How many calls.
    pub count: u64,
    /// Whether one of them ended by an exception.
    pub broke: bool,
    /// Whether nobody saw its end.
    pub open: bool,
    /// How long the longest took.
    longest: u64,
}

/// The worst thing that happened in a column of a lane, and how many things did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The worst of them.
    pub row: Row,
    /// How bad: 0 is only there, 1 a warning, 2 an error, 3 something lost.
    pub rank: u8,
    /// How many.
    pub count: u64,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Folded {
    /// By lane and depth, in the order of time.
    pub calls: Vec<Stretch>,
    /// By lane, in the order of time.
    pub moments: Vec<Moment>,
    /// How many rows were looked at.
    pub rows: u64,
}

/// Takes rows in the order of their lanes.
#[derive(Debug)]
pub(crate) struct Folding {
    time: Range<u64>,
    column: u64,
    deepest: u16,
    calls: HashMap<(u32, u16), Vec<Stretch>>,
    open: HashMap<u32, Vec<Row>>,
    moments: HashMap<(u32, u64), Moment>,
    rows: u64,
    /// Calls, kept apart or still open, that are held.
    held: usize,
}

impl Folding {
    pub(crate) fn new(time: Range<u64>, columns: u64, deepest: u16) -> Self {
        let column = (time.end.saturating_sub(time.start) / columns.max(1)).max(1);
        let (calls, open, moments) = (HashMap::new(), HashMap::new(), HashMap::new());
        Self { time, column, deepest, calls, open, moments, rows: 0, held: 0 }
    }

    pub(crate) fn take(&mut self, row: &Row) {
        self.rows += 1;
        match Kind(row.kind) {
            kinds::ENTER if row.depth < self.deepest => {
                if self.open.len() >= MOST_HELD && !self.open.contains_key(&row.lane) {
                    return;
                }
                let open = self.open.entry(row.lane).or_default();
                // As deep as another that has no end, which therefore is over: no more are held than there are depths.
                let above = open.iter().rposition(|one| one.depth < row.depth).map_or(0, |at| at + 1);
                open.truncate(above);
                open.push(*row);
            }
            end @ (kinds::EXIT | kinds::UNWIND) => {
                if row.flags & UNPAIRED != 0 {
                    return;
                }
                if let Some(open) = self.open.get_mut(&row.lane) {
                    // Its own beginning, and whatever it held that has no end.
                    let began = open.iter().rposition(|one| one.depth <= row.depth);
                    open.truncate(began.unwrap_or(0));
                }
                let began = row.time.saturating_sub(row.duration);
                self.call(row, began, row.time, end == kinds::UNWIND, false);
            }
            kinds::GAP => {
                self.open.remove(&row.lane);
                self.moment(row, 3);
            }
            // An exception that may well be handled has a level of its own, beside one that ended a test.
            kinds::LOG | kinds::EVENT | kinds::POINT | kinds::AUDIT | kinds::OUTPUT | kinds::EXCEPTION => {
                self.moment(row, (row.flags & LEVEL_MASK).saturating_sub(3).min(2));
            }
            _ => {}
        }
    }

    fn place(&self, time: u64) -> u64 {
        time.clamp(self.time.start, self.time.end).saturating_sub(self.time.start) / self.column
    }

    fn call(&mut self, row: &Row, began: u64, over: u64, broke: bool, open: bool) {
        if row.depth >= self.deepest || over < self.time.start || began >= self.time.end {
            return;
        }
        let (first, last, longest) = (self.place(began), self.place(over), over - began);
        let time = (began.max(self.time.start), over.min(self.time.end));
        let column = self.column;
        let start = self.time.start;
        if self.held >= MOST_HELD && !self.calls.contains_key(&(row.lane, row.depth)) {
            return;
        }
        let calls = self.calls.entry((row.lane, row.depth)).or_default();
        match calls.last_mut() {
            Some(before)
                if first == last
                    && (before.time.0 - start) / column == first
                    && (before.time.1 - start) / column == first =>
            {
                before.time.1 = before.time.1.max(time.1);
                before.count += 1;
                before.broke |= broke;
                if longest > before.longest {
                    (before.row, before.longest) = (*row, longest);
                }
            }
            _ => {
                calls.push(Stretch { row: *row, depth: row.depth, time, count: 1, broke, open, longest });
                self.held += 1;
            }
        }
    }

    fn moment(&mut self, row: &Row, rank: u8) {
        if !self.time.contains(&row.time) {
            return;
        }
        let place = self.place(row.time);
        if self.moments.len() >= MOST_HELD && !self.moments.contains_key(&(row.lane, place)) {
            return;
        }
        let moment = self.moments.entry((row.lane, place)).or_insert(Moment { row: *row, rank, count: 0 });
        moment.count += 1;
        if rank > moment.rank {
            (moment.row, moment.rank) = (*row, rank);
        }
    }

    pub(crate) fn done(mut self) -> Folded {
        for row in std::mem::take(&mut self.open).into_values().flatten() {
            self.call(&row, row.time, self.time.end, false, true);
        }
        let mut calls: Vec<Stretch> = self.calls.into_values().flatten().collect();
        calls.sort_by_key(|one| (one.row.lane, one.depth, one.time.0));
        let mut moments: Vec<Moment> = self.moments.into_values().collect();
        moments.sort_by_key(|one| (one.row.lane, one.row.time));
        Folded { calls, moments, rows: self.rows }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(kind: Kind, time: u64, duration: u64, depth: u16) -> Row {
        Row { kind: kind.0, time, duration, depth, lane: 1, ..Row::default() }
    }

    fn folded(columns: u64, rows: &[Row]) -> Folded {
        let mut folding = Folding::new(0..1000, columns, 8);
        for row in rows {
            folding.take(row);
        }
        folding.done()
    }

    #[test]
    fn calls__narrower_than_a_column__then_lie_together_under_the_longest() {
        let rows: Vec<Row> = [(5, 1), (9, 3), (12, 2)].map(|(at, took)| row(kinds::EXIT, at, took, 0)).to_vec();
        let found = folded(10, &rows);
        assert_eq!(found.calls.len(), 1);
        assert_eq!((found.calls[0].time, found.calls[0].count, found.calls[0].row.duration), ((4, 12), 3, 3));
    }

    #[test]
    fn calls__a_column_wide_or_more__then_each_for_itself() {
        let found = folded(10, &[row(kinds::EXIT, 250, 200, 0), row(kinds::UNWIND, 520, 270, 0)]);
        let told: Vec<_> = found.calls.iter().map(|one| (one.time, one.broke, one.open)).collect();
        assert_eq!(told, [((50, 250), false, false), ((250, 520), true, false)]);
    }

    #[test]
    fn call__without_an_end__then_open_to_the_end_of_what_was_asked() {
        let rows = [row(kinds::ENTER, 100, 0, 0), row(kinds::ENTER, 120, 0, 1), row(kinds::EXIT, 140, 20, 1)];
        let found = folded(10, &rows);
        let told: Vec<_> = found.calls.iter().map(|one| (one.depth, one.time, one.open)).collect();
        assert_eq!(told, [(0, (100, 1000), true), (1, (120, 140), false)]);
    }

    #[test]
    fn gap__then_nothing_is_called_open_and_the_loss_is_told() {
        let found = folded(10, &[row(kinds::ENTER, 100, 0, 0), row(kinds::GAP, 150, 0, 0)]);
        assert_eq!((found.calls.len(), found.moments[0].rank), (0, 3));
    }

    #[test]
    fn moments__of_one_column__then_the_worst_stands_for_all() {
        let log = |time, level| Row { flags: level, ..row(kinds::LOG, time, 0, 0) };
        let found = folded(10, &[log(10, 3), log(20, 5), log(30, 4), log(950, 3)]);
        let told: Vec<_> = found.moments.iter().map(|one| (one.row.time, one.rank, one.count)).collect();
        assert_eq!(told, [(20, 2, 3), (950, 0, 1)]);
        let raised = |time, level| Row { flags: level, ..row(kinds::EXCEPTION, time, 0, 0) };
        let found = folded(10, &[raised(10, 3), raised(150, 5)]);
        assert_eq!(found.moments.iter().map(|one| one.rank).collect::<Vec<_>>(), [0, 2], "handled, and not");
    }

    #[test]
    fn calls__beside_or_below_what_was_asked__then_left_out() {
        let mut folding = Folding::new(100..200, 10, 1);
        for (at, took, depth) in [(90, 10, 0), (150, 20, 1), (300, 50, 0)] {
            folding.take(&row(kinds::EXIT, at, took, depth));
        }
        assert_eq!(folding.done().calls, []);
    }

    #[test]
    fn any_number_of_beginnings_without_ends__then_no_more_are_held_than_there_are_depths() {
        let mut folding = Folding::new(0..1_000_000, 50, 4);
        for at in 1..200_000_u64 {
            folding.take(&row(kinds::ENTER, at, 0, u16::try_from(at % 9).unwrap_or(0)));
            assert!(folding.open.values().map(Vec::len).sum::<usize>() <= 4);
        }
        let depths: Vec<_> = folding.done().calls.iter().map(|one| (one.depth, one.open)).collect();
        assert_eq!(depths, [(0, true), (1, true)], "the last were of depths 0 and 1");
    }

    #[test]
    fn any_number_of_lanes__then_no_more_is_held_than_a_screen_could_show() {
        let mut folding = Folding::new(0..1000, 50, 4);
        let lanes = u32::try_from(MOST_HELD).unwrap() + 5000;
        for lane in 0..lanes {
            for kind in [kinds::ENTER, kinds::LOG, kinds::EXIT] {
                folding.take(&Row { lane, ..row(kind, 500, 3, 1) });
            }
            // Left open, in a lane of its own.
            folding.take(&Row { lane: u32::MAX - lane, ..row(kinds::ENTER, 500, 0, 0) });
        }
        let found = folding.done();
        assert_eq!((found.calls.len(), found.moments.len()), (MOST_HELD, MOST_HELD));
        assert_eq!(found.rows, u64::from(lanes) * 4);
    }

    #[test]
    fn any_number_of_calls__then_no_more_is_held_than_the_screen_has_columns() {
        let mut folding = Folding::new(0..1_000_000, 50, 4);
        for at in 1..200_000_u64 {
            folding.take(&row(kinds::EXIT, at * 5, 3, u16::try_from(at % 4).unwrap_or(0)));
        }
        assert!(folding.done().calls.len() <= 4 * 2 * 51);
    }
}
