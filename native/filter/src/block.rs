//! A filter over a block: passed over where its head says that nothing can be in it, else a column at a time.

use tracer_backend::block::{Block, Zone};
use tracer_backend::kind::UNPAIRED;
use tracer_backend::row::COLUMNS;
use tracer_backend::{Column, kinds};

use crate::bind::{Bound, Leaf, Node};

/// A set with more names than this is not looked for in the name filter of a block.
const LOOKED_FOR: usize = 32;

/// The rows of a block that pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    bits: Vec<u64>,
    rows: usize,
}

impl Selection {
    fn of(rows: usize, passes: impl Fn(usize) -> bool) -> Self {
        let mut bits = vec![0; rows.div_ceil(64)];
        for row in 0..rows {
            bits[row / 64] |= u64::from(passes(row)) << (row % 64);
        }
        Self { bits, rows }
    }

    fn all(rows: usize, value: bool) -> Self {
        let mut all = Self { bits: vec![if value { u64::MAX } else { 0 }; rows.div_ceil(64)], rows };
        all.trim();
        all
    }

    fn trim(&mut self) {
        if let (Some(last), rest @ 1..) = (self.bits.last_mut(), self.rows % 64) {
            *last &= (1 << rest) - 1;
        }
    }

    fn with(mut self, other: &Self, join: impl Fn(u64, u64) -> u64) -> Self {
        self.bits.iter_mut().zip(&other.bits).for_each(|(mine, theirs)| *mine = join(*mine, *theirs));
        self
    }

    fn negated(mut self) -> Self {
        self.bits.iter_mut().for_each(|word| *word = !*word);
        self.trim();
        self
    }

    /// How many rows pass.
    pub fn count(&self) -> usize {
        self.bits.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The rows that pass, in order.
    pub fn rows(&self) -> impl Iterator<Item = usize> {
        self.bits.iter().enumerate().flat_map(|(at, word)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let bit = left.trailing_zeros() as usize;
                left = if left == 0 { return None } else { left & (left - 1) };
                Some(at * 64 + bit)
            })
        })
    }
}

/// The columns of a block, taken out once each.
struct Columns<'a, 'b> {
    block: &'a Block<'b>,
    taken: [Option<Vec<u64>>; COLUMNS],
}

impl Columns<'_, '_> {
    fn take(&mut self, column: Column) {
        let block = self.block;
        self.taken[column.index()].get_or_insert_with(|| {
            let mut values = Vec::new();
            block.column(column, &mut values);
            values
        });
    }

    fn get(&self, column: Column) -> &[u64] {
        self.taken[column.index()].as_deref().unwrap_or_default()
    }
}

impl Bound {
    /// Whether a row of the block can pass, by what its head says. Learn its strings first.
    pub fn may_match(&self, block: &Block<'_>) -> bool {
        may(&self.root, block.zone(), &|name| block.may_name(name))
    }

    /// Whether a row of a block can pass, by its head alone: it need not be read for that. Learn its strings first.
    pub fn may_match_head(&self, zone: &Zone) -> bool {
        may(&self.root, zone, &|_| true)
    }

    /// The rows of the block that pass. Learn its strings first.
    pub fn select(&self, block: &Block<'_>) -> Selection {
        if !self.may_match(block) {
            return Selection::all(block.rows(), false);
        }
        let mut columns = Columns { block, taken: std::array::from_fn(|_| None) };
        select(&self.root, &mut columns)
    }
}

fn may(node: &Node, zone: &Zone, may_name: &dyn Fn(u32) -> bool) -> bool {
    match node {
        Node::All(parts) => parts.iter().all(|part| may(part, zone, may_name)),
        Node::Any(parts) => parts.iter().any(|part| may(part, zone, may_name)),
        // What is inside may let every row of the block through, or none: its head does not tell.
        Node::Not(_) => true,
        Node::Leaf(leaf) => match leaf {
            Leaf::Always(value) => *value,
            Leaf::Levels(bits) => zone.levels & bits != 0,
            Leaf::Took(low, _) => zone.longest >= *low,
            Leaf::Value(..) => zone.kinds & crate::bind::numbered() != 0,
            Leaf::Between(Column::Time, _, low, high) => zone.times.0 <= *high && *low <= zone.times.1,
            Leaf::Kinds(bits) | Leaf::Between(_, bits, ..) => zone.kinds & bits != 0,
            Leaf::In(column, bits, set) => {
                let named = || {
                    let names = set.first(LOOKED_FOR + 1);
                    names.len() > LOOKED_FOR || names.into_iter().any(may_name)
                };
                zone.kinds & bits != 0
                    && match column {
                        Column::Scenario => set.has_between(zone.scenarios.0, zone.scenarios.1),
                        Column::Id => named(),
                        _ => true,
                    }
            }
        },
    }
}

fn select(node: &Node, columns: &mut Columns<'_, '_>) -> Selection {
    let rows = columns.block.rows();
    match node {
        Node::All(parts) => {
            let mut all = Selection::all(rows, true);
            for part in parts {
                if all.count() == 0 {
                    break;
                }
                all = all.with(&select(part, columns), |one, other| one & other);
            }
            all
        }
        Node::Any(parts) => parts
            .iter()
            .fold(Selection::all(rows, false), |any, part| any.with(&select(part, columns), |one, other| one | other)),
        Node::Not(part) => select(part, columns).negated(),
        Node::Leaf(leaf) => select_leaf(leaf, columns),
    }
}

#[inline]
fn in_kinds(bits: u64, kind: u64) -> bool {
    bits >> (kind & 63) & 1 == 1
}

fn select_leaf(leaf: &Leaf, columns: &mut Columns<'_, '_>) -> Selection {
    let rows = columns.block.rows();
    columns.take(Column::Kind);
    match leaf {
        Leaf::Always(value) => Selection::all(rows, *value),
        Leaf::Kinds(bits) => {
            let kinds = columns.get(Column::Kind);
            Selection::of(rows, |row| in_kinds(*bits, kinds[row]))
        }
        Leaf::Levels(bits) => {
            columns.take(Column::Flags);
            let flags = columns.get(Column::Flags);
            Selection::of(rows, |row| *bits >> (flags[row] & 7) & 1 == 1)
        }
        Leaf::In(column, bits, set) => {
            columns.take(*column);
            let (kinds, values) = (columns.get(Column::Kind), columns.get(*column));
            Selection::of(rows, |row| in_kinds(*bits, kinds[row]) && set.has(values[row]))
        }
        Leaf::Between(column, bits, low, high) => {
            columns.take(*column);
            let (kinds, values) = (columns.get(Column::Kind), columns.get(*column));
            Selection::of(rows, |row| (*low..=*high).contains(&values[row]) && in_kinds(*bits, kinds[row]))
        }
        Leaf::Took(low, high) => {
            columns.take(Column::Flags);
            columns.take(Column::Duration);
            let ends = kinds::EXIT.bit() | kinds::UNWIND.bit();
            let (kinds, flags) = (columns.get(Column::Kind), columns.get(Column::Flags));
            let durations = columns.get(Column::Duration);
            Selection::of(rows, |row| {
                in_kinds(ends, kinds[row])
                    && flags[row] & u64::from(UNPAIRED) == 0
                    && (*low..=*high).contains(&durations[row])
            })
        }
        Leaf::Value(low, high) => {
            columns.take(Column::Id);
            columns.take(Column::Arg);
            let numbered = crate::bind::numbered();
            let (kinds, ids, args) = (columns.get(Column::Kind), columns.get(Column::Id), columns.get(Column::Arg));
            Selection::of(rows, |row| {
                let wide = kinds[row] == u64::from(kinds::EVENT.0);
                let value = if wide { (ids[row] & 0xffff_ffff) << 32 | args[row] } else { args[row] };
                in_kinds(numbered, kinds[row]) && (*low..=*high).contains(&i128::from(value))
            })
        }
    }
}
