//! Events that wait for their block, column by column: as a block has them, so that nothing is turned around when it is
//! written, and a processor takes many of a column at once. In the order in which they came, until they are put in order.

use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};

use crate::block::MAX_ROWS;
use crate::row::Row;

/// The columns side by side in one piece of memory: one address leads to all of them. Zeroes are events like any others.
#[derive(Debug)]
#[repr(C)]
struct Store {
    time: [u64; MAX_ROWS],
    duration: [u64; MAX_ROWS],
    sequence: [u64; MAX_ROWS],
    lane: [u32; MAX_ROWS],
    scenario: [u32; MAX_ROWS],
    id: [u32; MAX_ROWS],
    arg: [u32; MAX_ROWS],
    depth: [u16; MAX_ROWS],
    kind: [u8; MAX_ROWS],
    flags: [u8; MAX_ROWS],
}

impl Store {
    /// Made where it stays: no stack has room for it.
    fn new() -> Box<Self> {
        let layout = Layout::new::<Self>();
        // SAFETY: the layout is not empty. What comes back is zeroed, aligned for a store and that large, and all zeroes
        // are a store; the box is its only owner, and was allocated as boxes are.
        unsafe {
            #[allow(clippy::cast_ptr_alignment)] // as the layout says
            let made = alloc_zeroed(layout).cast::<Self>();
            if made.is_null() {
                handle_alloc_error(layout);
            }
            Box::from_raw(made)
        }
    }
}

/// A block's worth of events, or fewer.
#[derive(Debug)]
pub(crate) struct Waiting {
    count: usize,
    store: Box<Store>,
}

/// All columns, each as long as there are events.
#[derive(Clone, Copy)]
pub(crate) struct Columns<'a> {
    pub(crate) time: &'a [u64],
    pub(crate) duration: &'a [u64],
    pub(crate) kind: &'a [u8],
    pub(crate) flags: &'a [u8],
    pub(crate) depth: &'a [u16],
    pub(crate) lane: &'a [u32],
    pub(crate) scenario: &'a [u32],
    pub(crate) id: &'a [u32],
    pub(crate) arg: &'a [u32],
    pub(crate) sequence: &'a [u64],
}

/// Places for events that come next, to be filled; until then they hold whatever was there.
pub(crate) struct Room<'a> {
    pub(crate) time: &'a mut [u64],
    pub(crate) duration: &'a mut [u64],
    pub(crate) kind: &'a mut [u8],
    pub(crate) flags: &'a mut [u8],
    pub(crate) depth: &'a mut [u16],
    pub(crate) lane: &'a mut [u32],
    pub(crate) scenario: &'a mut [u32],
    pub(crate) id: &'a mut [u32],
    pub(crate) arg: &'a mut [u32],
    pub(crate) sequence: &'a mut [u64],
}

impl Default for Waiting {
    fn default() -> Self {
        Self { count: 0, store: Store::new() }
    }
}

impl Waiting {
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    pub(crate) fn is_full(&self) -> bool {
        self.count >= MAX_ROWS
    }

    pub(crate) fn clear(&mut self) {
        self.count = 0;
    }

    /// Takes an event; nothing where it is full.
    #[inline]
    pub(crate) fn put(&mut self, row: &Row) {
        let at = self.count;
        if at >= MAX_ROWS {
            return;
        }
        let store = &mut *self.store;
        store.time[at] = row.time;
        store.duration[at] = row.duration;
        store.kind[at] = row.kind;
        store.flags[at] = row.flags;
        store.depth[at] = row.depth;
        store.lane[at] = row.lane;
        store.scenario[at] = row.scenario;
        store.id[at] = row.id;
        store.arg[at] = row.arg;
        store.sequence[at] = row.sequence;
        self.count = at + 1;
    }

    /// Places for so many more, or as many as there is room for; all of them are to be filled.
    pub(crate) fn room(&mut self, most: usize) -> Room<'_> {
        let from = self.count.min(MAX_ROWS);
        let to = MAX_ROWS.min(from.saturating_add(most));
        self.count = to;
        let store = &mut *self.store;
        Room {
            time: &mut store.time[from..to],
            duration: &mut store.duration[from..to],
            kind: &mut store.kind[from..to],
            flags: &mut store.flags[from..to],
            depth: &mut store.depth[from..to],
            lane: &mut store.lane[from..to],
            scenario: &mut store.scenario[from..to],
            id: &mut store.id[from..to],
            arg: &mut store.arg[from..to],
            sequence: &mut store.sequence[from..to],
        }
    }

    pub(crate) fn columns(&self) -> Columns<'_> {
        let count = self.count.min(MAX_ROWS);
        Columns {
            time: &self.store.time[..count],
            duration: &self.store.duration[..count],
            kind: &self.store.kind[..count],
            flags: &self.store.flags[..count],
            depth: &self.store.depth[..count],
            lane: &self.store.lane[..count],
            scenario: &self.store.scenario[..count],
            id: &self.store.id[..count],
            arg: &self.store.arg[..count],
            sequence: &self.store.sequence[..count],
        }
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = Row> {
        (0..self.count).map(|at| Row {
            time: self.store.time[at],
            duration: self.store.duration[at],
            kind: self.store.kind[at],
            flags: self.store.flags[at],
            depth: self.store.depth[at],
            lane: self.store.lane[at],
            scenario: self.store.scenario[at],
            id: self.store.id[at],
            arg: self.store.arg[at],
            sequence: self.store.sequence[at],
        })
    }

    /// Puts them in the order of time; those of one moment stay as they came.
    pub(crate) fn sort(&mut self) {
        if self.columns().time.is_sorted() {
            return;
        }
        let mut rows: Vec<Row> = self.rows().collect();
        rows.sort_by_key(|row| row.time);
        self.clear();
        for row in &rows {
            self.put(row);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sort__several_of_one_moment__then_by_time_and_as_they_came() {
        let mut waiting = Waiting::default();
        let rows: Vec<Row> =
            (0..100).map(|n| Row { time: 50 - n / 2, sequence: n, arg: 7, ..Row::default() }).collect();
        for row in &rows {
            waiting.put(row);
        }
        waiting.sort();
        let mut wanted = rows;
        wanted.sort_by_key(|row| row.time);
        assert_eq!(waiting.rows().collect::<Vec<_>>(), wanted);
    }

    #[test]
    fn put__more_than_a_block__then_the_rest_left_out() {
        let mut waiting = Waiting::default();
        (0..=MAX_ROWS).for_each(|_| waiting.put(&Row::default()));
        assert!(waiting.is_full());
        assert_eq!((waiting.len(), waiting.columns().arg.len()), (MAX_ROWS, MAX_ROWS));
    }
}
