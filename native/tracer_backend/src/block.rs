//! Blocks: up to 16,384 events in columns, each column as its smallest value and the distances from it, in front of
//! them what a reader needs to pass the block over. A block says itself which columns it has; one that is not whole is
//! not read. Decoding borrows, and allocates nothing.

use crate::kind::LEVEL_MASK;
use crate::row::{COLUMNS, Column, Row};
use crate::waiting::{Columns, Waiting};
use crate::wide::wide;

/// First bytes of a block.
pub const MAGIC: u32 = u32::from_le_bytes(*b"TKB\x01");
/// The most events of a block.
pub const MAX_ROWS: usize = 16_384;
/// The most bytes of a block that a reader believes.
pub const MAX_BYTES: usize = 4 << 20;
/// Bytes before the table of columns.
pub const HEAD_BYTES: usize = 88;
const COLUMN_BYTES: usize = 16;
/// From so many events on a block has a filter of its names.
const BLOOM_FROM: usize = 1024;
/// Words of that filter.
const BLOOM_WORDS: usize = 16;
const CHECKED_FROM: usize = 12;

/// What a block says about all of its events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Zone {
    /// How many events.
    pub rows: usize,
    /// The segment that it was written into.
    pub segment: u64,
    /// Counts blocks of a box from 0.
    pub number: u64,
    /// How many bytes of `strings.tkd` its numbers need.
    pub strings: u64,
    /// The first and the last time.
    pub times: (u64, u64),
    /// The kinds, each a bit.
    pub kinds: u64,
    /// The levels, each a bit.
    pub levels: u8,
    /// The longest duration.
    pub longest: u64,
    /// The smallest and the largest number of a scenario.
    pub scenarios: (u32, u32),
    /// Bytes of the whole block.
    pub bytes: usize,
}

/// Where a block goes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place {
    /// See `Zone`.
    pub segment: u64,
    /// See `Zone`.
    pub number: u64,
    /// See `Zone`.
    pub strings: u64,
}

fn width_of(range: u64) -> u8 {
    match range {
        0 => 0,
        1..=0xff => 1,
        0x100..=0xffff => 2,
        0x1_0000..=0xffff_ffff => 4,
        _ => 8,
    }
}

/// A value of a column.
trait Value: Copy + Ord + Default + Into<u64> {}

impl<T: Copy + Ord + Default + Into<u64>> Value for T {}

/// The smallest and the largest value of a column.
#[inline(always)]
#[allow(clippy::inline_always)] // for the instructions that its caller may use
fn ends<T: Value>(column: &[T]) -> (u64, u64) {
    let first = column.first().copied().unwrap_or_default();
    let (mut least, mut most) = (first, first);
    for value in column {
        least = least.min(*value);
        most = most.max(*value);
    }
    (least.into(), most.into())
}

/// Puts a column where it belongs.
#[inline(always)]
#[allow(clippy::inline_always, clippy::cast_possible_truncation)] // as above; the width was chosen so that all fit
fn put<T: Value>(out: &mut [u8], column: &[T], base: u64, width: u8) {
    let far = |value: &T| (*value).into().wrapping_sub(base);
    match width {
        0 => {}
        1 => out.iter_mut().zip(column).for_each(|(to, value)| *to = far(value) as u8),
        2 => {
            out.as_chunks_mut()
                .0
                .iter_mut()
                .zip(column)
                .for_each(|(to, value)| *to = (far(value) as u16).to_le_bytes());
        }
        4 => {
            out.as_chunks_mut()
                .0
                .iter_mut()
                .zip(column)
                .for_each(|(to, value)| *to = (far(value) as u32).to_le_bytes());
        }
        _ => out.as_chunks_mut().0.iter_mut().zip(column).for_each(|(to, value)| *to = far(value).to_le_bytes()),
    }
}

/// Calls something for each column, in the order of the blocks.
macro_rules! for_each_column {
    ($columns:expr, $do:ident!($($with:tt)*)) => {
        $do!(Column::Time, $columns.time, $($with)*);
        $do!(Column::Duration, $columns.duration, $($with)*);
        $do!(Column::Kind, $columns.kind, $($with)*);
        $do!(Column::Flags, $columns.flags, $($with)*);
        $do!(Column::Depth, $columns.depth, $($with)*);
        $do!(Column::Lane, $columns.lane, $($with)*);
        $do!(Column::Scenario, $columns.scenario, $($with)*);
        $do!(Column::Id, $columns.id, $($with)*);
        $do!(Column::Arg, $columns.arg, $($with)*);
        $do!(Column::Sequence, $columns.sequence, $($with)*);
    };
}

macro_rules! find_ends {
    ($column:expr, $values:expr, $least:ident, $most:ident) => {
        ($least[$column.index()], $most[$column.index()]) = ends($values);
    };
}

macro_rules! lay_out {
    ($column:expr, $values:expr, $block:ident, $layout:ident) => {
        let at = $column.index();
        let from = $layout.offsets[at];
        let to = from + $values.len() * usize::from($layout.widths[at]);
        put(&mut $block[from..to], $values, $layout.bases[at], $layout.widths[at]);
    };
}

/// Where the columns of a block lie.
struct Layout {
    bases: [u64; COLUMNS],
    widths: [u8; COLUMNS],
    offsets: [usize; COLUMNS],
}

/// The least and the most of each column.
#[inline(always)]
#[allow(clippy::inline_always)] // as above
fn all_ends(columns: Columns<'_>) -> ([u64; COLUMNS], [u64; COLUMNS]) {
    let (mut least, mut most) = ([0; COLUMNS], [0; COLUMNS]);
    for_each_column!(columns, find_ends!(least, most));
    (least, most)
}

#[inline(always)]
#[allow(clippy::inline_always)] // as above
fn lay_all_out(columns: Columns<'_>, layout: &Layout, block: &mut [u8]) {
    for_each_column!(columns, lay_out!(block, layout));
}

wide! {
    fn ends_of(columns: Columns<'_>) -> ([u64; COLUMNS], [u64; COLUMNS]) = all_ends;
    fn put_columns(columns: Columns<'_>, layout: &Layout, block: &mut [u8]) -> () = lay_all_out;
    fn present(column: &[u8], mask: u8) -> u64 = every_value;
}

/// The values of a column of bytes that there are, each a bit.
#[inline(always)]
#[allow(clippy::inline_always)] // as above
fn every_value(column: &[u8], mask: u8) -> u64 {
    column.iter().fold(0, |bits, value| bits | 1 << (value & mask & 63))
}

/// The filter of the names. The same come again and again: one that was there a short while ago is in it already.
fn bloom(names: &[u32]) -> [u64; BLOOM_WORDS] {
    let mut bloom = [0; BLOOM_WORDS];
    // Each name has one place; no name that has this place stands in it at first.
    let mut lately: [u32; 256] = std::array::from_fn(|place| u32::from(place == 0));
    for name in names {
        let place = &mut lately[(name & 255) as usize];
        if place != name {
            *place = *name;
            for bit in bloom_bits(*name) {
                bloom[bit / 64] |= 1 << (bit % 64);
            }
        }
    }
    bloom
}

fn bloom_bits(name: u32) -> [usize; 2] {
    let mixed = u64::from(name).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let bit = |shift: u32| usize::try_from(mixed >> shift & (BLOOM_WORDS as u64 * 64 - 1)).unwrap_or(0);
    [bit(54), bit(40)]
}

/// Appends a block of these events; `MAX_ROWS` at most, the rest is left out.
pub fn encode(rows: &[Row], place: Place, out: &mut Vec<u8>) {
    let mut waiting = Waiting::default();
    for row in rows {
        waiting.put(row);
    }
    let mut block = Vec::new();
    let bytes = encode_columns(waiting.columns(), place, &mut block);
    out.extend_from_slice(&block[..bytes]);
}

/// Puts a block of these events at the beginning of `out`; how many bytes it has. What stood there before is written
/// over, not cleared: the next block mostly is as long.
pub(crate) fn encode_columns(columns: Columns<'_>, place: Place, out: &mut Vec<u8>) -> usize {
    let count = columns.time.len();
    let (bases, mosts) = ends_of(columns);
    let bloom_words = if count >= BLOOM_FROM { BLOOM_WORDS } else { 0 };
    let head = HEAD_BYTES + COLUMNS * COLUMN_BYTES + bloom_words * 8;
    let widths: [u8; COLUMNS] = std::array::from_fn(|at| width_of(mosts[at] - bases[at]));
    let mut bytes = head;
    let offsets: [usize; COLUMNS] = std::array::from_fn(|at| {
        let offset = bytes;
        bytes += (count * usize::from(widths[at])).next_multiple_of(8);
        offset
    });
    if out.len() < bytes {
        out.resize(bytes, 0);
    }
    let block = &mut out[..bytes];
    block[..head].fill(0);
    for at in 0..COLUMNS {
        let end = offsets[at] + count * usize::from(widths[at]);
        block[end..end.next_multiple_of(8)].fill(0);
    }
    let layout = Layout { bases, widths, offsets };
    put_columns(columns, &layout, block);
    for column in Column::ALL {
        let at = column.index();
        let entry = HEAD_BYTES + at * COLUMN_BYTES;
        block[entry] = column as u8;
        block[entry + 1] = widths[at];
        write_u32(block, entry + 4, offsets[at]);
        block[entry + 8..entry + 16].copy_from_slice(&bases[at].to_le_bytes());
    }
    block[..4].copy_from_slice(&MAGIC.to_le_bytes());
    write_u32(block, 4, bytes);
    write_u32(block, 12, count);
    let (least, most) = (Row::from_values(bases), Row::from_values(mosts));
    let kinds = present(columns.kind, 63);
    let words = [place.segment, place.number, place.strings, least.time, most.time, kinds, most.duration];
    for (at, word) in (16..).step_by(8).zip(words) {
        block[at..at + 8].copy_from_slice(&word.to_le_bytes());
    }
    block[72..76].copy_from_slice(&least.scenario.to_le_bytes());
    block[76..80].copy_from_slice(&most.scenario.to_le_bytes());
    block[80] = u8::try_from(present(columns.flags, LEVEL_MASK)).unwrap_or(0);
    block[81] = u8::try_from(COLUMNS).unwrap_or(u8::MAX);
    block[82] = u8::try_from(bloom_words).unwrap_or(0);
    write_u32(block, 84, head);
    if bloom_words > 0 {
        for (word, bits) in bloom(columns.id).iter().enumerate() {
            let at = HEAD_BYTES + COLUMNS * COLUMN_BYTES + word * 8;
            block[at..at + 8].copy_from_slice(&bits.to_le_bytes());
        }
    }
    seal(block);
    bytes
}

/// Writes the checksum of a block, whatever is in it.
pub fn seal(block: &mut [u8]) {
    if block.len() >= CHECKED_FROM {
        let crc = crc32fast::hash(&block[CHECKED_FROM..]);
        block[8..12].copy_from_slice(&crc.to_le_bytes());
    }
}

fn write_u32(out: &mut [u8], at: usize, value: usize) {
    out[at..at + 4].copy_from_slice(&u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes());
}

fn u32_at(bytes: &[u8], at: usize) -> usize {
    let piece = bytes.get(at..at + 4).and_then(|piece| piece.try_into().ok()).unwrap_or_default();
    usize::try_from(u32::from_le_bytes(piece)).unwrap_or(0)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes.get(at..at + 8).and_then(|piece| piece.try_into().ok()).unwrap_or_default())
}

/// What the head of a block says, unchecked but for its bounds: enough to pass it over. Nothing when it is none.
pub fn zone(head: &[u8]) -> Option<Zone> {
    if head.len() < HEAD_BYTES || u32_at(head, 0) != usize::try_from(MAGIC).ok()? {
        return None;
    }
    let (bytes, rows) = (u32_at(head, 4), u32_at(head, 12));
    if !(HEAD_BYTES..=MAX_BYTES).contains(&bytes) || rows == 0 || rows > MAX_ROWS {
        return None;
    }
    let times = (u64_at(head, 40), u64_at(head, 48));
    if times.0 > times.1 {
        return None; // no block begins behind its end
    }
    Some(Zone {
        rows,
        segment: u64_at(head, 16),
        number: u64_at(head, 24),
        strings: u64_at(head, 32),
        times,
        kinds: u64_at(head, 56),
        longest: u64_at(head, 64),
        scenarios: (u32::try_from(u32_at(head, 72)).ok()?, u32::try_from(u32_at(head, 76)).ok()?),
        levels: head[80],
        bytes,
    })
}

#[derive(Clone, Copy, Debug, Default)]
struct Values<'a> {
    base: u64,
    width: u8,
    bytes: &'a [u8],
}

/// A block whose checksum was right.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    zone: Zone,
    columns: [Values<'a>; COLUMNS],
    bloom: &'a [u8],
}

/// Decodes the block at the beginning of these bytes; nothing when it is not whole or not one.
pub fn decode(bytes: &[u8]) -> Option<Block<'_>> {
    let zone = zone(bytes)?;
    let bytes = bytes.get(..zone.bytes)?;
    if crc32fast::hash(&bytes[CHECKED_FROM..]) != u32::try_from(u32_at(bytes, 8)).ok()? {
        return None;
    }
    let count = usize::from(bytes[81]);
    let mut columns = [Values::default(); COLUMNS];
    for number in 0..count {
        let entry = bytes.get(HEAD_BYTES + number * COLUMN_BYTES..)?.get(..COLUMN_BYTES)?;
        let width = entry[1];
        if !matches!(width, 0 | 1 | 2 | 4 | 8) {
            return None;
        }
        let offset = u32_at(entry, 4);
        let length = zone.rows * usize::from(width);
        let values = Values { base: u64_at(entry, 8), width, bytes: bytes.get(offset..offset.checked_add(length)?)? };
        // A column that this reader does not know is passed over.
        if let Some(known) = Column::ALL.iter().find(|column| **column as u8 == entry[0]) {
            columns[known.index()] = values;
        }
    }
    let bloom = HEAD_BYTES + count * COLUMN_BYTES;
    let bloom = bytes.get(bloom..bloom + usize::from(bytes[82]) * 8)?;
    Some(Block { zone, columns, bloom })
}

impl<'a> Block<'a> {
    /// What it says about all of its events.
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// How many events it has.
    pub fn rows(&self) -> usize {
        self.zone.rows
    }

    /// One value.
    ///
    /// # Panics
    /// There is no such row.
    #[inline]
    pub fn value(&self, column: Column, row: usize) -> u64 {
        let values = &self.columns[column.index()];
        let far = match values.width {
            0 => 0,
            1 => u64::from(values.bytes[row]),
            2 => u64::from(u16::from_le_bytes([values.bytes[row * 2], values.bytes[row * 2 + 1]])),
            4 => u64::from(u32::from_le_bytes(values.bytes[row * 4..row * 4 + 4].try_into().unwrap_or_default())),
            _ => u64_at(values.bytes, row * 8),
        };
        values.base.wrapping_add(far)
    }

    /// A whole column, into `out`.
    pub fn column(&self, column: Column, out: &mut Vec<u64>) {
        out.clear();
        let Values { base, width, bytes } = self.columns[column.index()];
        match width {
            0 => out.resize(self.zone.rows, base),
            1 => out.extend(bytes.iter().map(|byte| base.wrapping_add(u64::from(*byte)))),
            2 => out.extend(
                bytes.chunks_exact(2).map(|two| base.wrapping_add(u64::from(u16::from_le_bytes([two[0], two[1]])))),
            ),
            4 => out.extend(
                bytes
                    .chunks_exact(4)
                    .map(|four| base.wrapping_add(u32::from_le_bytes(four.try_into().unwrap_or_default()).into())),
            ),
            _ => out.extend(bytes.chunks_exact(8).map(|eight| base.wrapping_add(u64_at(eight, 0)))),
        }
    }

    /// One event.
    ///
    /// # Panics
    /// There is no such row.
    pub fn row(&self, row: usize) -> Row {
        Row::from_values(Column::ALL.map(|column| self.value(column, row)))
    }

    /// All of its events.
    pub fn iter(&self) -> impl Iterator<Item = Row> + use<'a, '_> {
        (0..self.rows()).map(|row| self.row(row))
    }

    /// Whether its head lets nobody pass over an event that is in it.
    pub fn covers(&self) -> bool {
        let zone = &self.zone;
        self.iter().all(|row| {
            (zone.times.0..=zone.times.1).contains(&row.time)
                && zone.kinds & 1 << (row.kind & 63) != 0
                && zone.levels & 1 << (row.flags & LEVEL_MASK) != 0
                && row.duration <= zone.longest
                && (zone.scenarios.0..=zone.scenarios.1).contains(&row.scenario)
                && self.may_name(row.id)
        })
    }

    /// Whether an event with this `id` may be among them.
    pub fn may_name(&self, name: u32) -> bool {
        self.bloom.len() != BLOOM_WORDS * 8
            || bloom_bits(name).into_iter().all(|bit| self.bloom[bit / 8] & 1 << (bit % 8) != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(count: u64) -> Vec<Row> {
        (0..count)
            .map(|n| Row {
                time: (1 << 40) + n * 70_000,
                duration: if n % 7 == 0 { n << 33 } else { 0 },
                kind: u8::try_from(n % 5 + 1).unwrap(),
                flags: 5,
                depth: u16::try_from(n % 300).unwrap(),
                lane: 3,
                scenario: u32::try_from(n / 100).unwrap(),
                id: u32::try_from(n % 1000 + 7).unwrap(),
                arg: u32::MAX - u32::try_from(n).unwrap(),
                sequence: u64::MAX - n,
            })
            .collect()
    }

    fn encoded(rows: &[Row]) -> Vec<u8> {
        let mut out = Vec::new();
        encode(rows, Place { segment: 9, number: 4, strings: 77 }, &mut out);
        out
    }

    #[test]
    fn block__of_any_size__then_every_row_and_the_zone_come_back() {
        for count in [1, 2, 255, 1023, 1024, MAX_ROWS as u64] {
            let rows = rows(count);
            let bytes = encoded(&rows);
            let block = decode(&bytes).unwrap();
            assert_eq!(block.iter().collect::<Vec<_>>(), rows);
            let zone = *block.zone();
            assert_eq!((zone.segment, zone.number, zone.strings, zone.bytes), (9, 4, 77, bytes.len()));
            assert_eq!(zone.times, (rows[0].time, rows[rows.len() - 1].time));
            assert_eq!(zone.longest, rows.iter().map(|row| row.duration).max().unwrap());
            assert_eq!(zone.scenarios, (0, rows[rows.len() - 1].scenario));
            assert_eq!(zone.levels, 1 << 5);
            let mut column = Vec::new();
            for name in Column::ALL {
                block.column(name, &mut column);
                assert_eq!(column, rows.iter().map(|row| row.values()[name.index()]).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn block__where_a_larger_one_stood__then_the_same_bytes_as_in_new_room() {
        let place = Place { segment: 9, number: 4, strings: 77 };
        let mut room = vec![0xff; 1 << 20];
        for count in [1, 7, 1023, 1025] {
            let rows = rows(count);
            let mut waiting = Waiting::default();
            for row in &rows {
                waiting.put(row);
            }
            let bytes = encode_columns(waiting.columns(), place, &mut room);
            assert_eq!(room[..bytes], encoded(&rows));
        }
    }

    #[test]
    fn block__by_any_registers__then_the_same() {
        let mut waiting = Waiting::default();
        for row in &rows(777) {
            waiting.put(row);
        }
        let columns = waiting.columns();
        let ends = all_ends(columns);
        assert_eq!(ends_of(columns), ends);
        let (bases, widths) = (ends.0, [8; COLUMNS]);
        let layout = Layout { bases, widths, offsets: std::array::from_fn(|at| at * 777 * 8) };
        let (mut one, mut other) = (vec![0; COLUMNS * 777 * 8], vec![0; COLUMNS * 777 * 8]);
        put_columns(columns, &layout, &mut one);
        lay_all_out(columns, &layout, &mut other);
        assert!(one == other && present(columns.kind, 63) == every_value(columns.kind, 63));
    }

    #[test]
    fn block__names__then_never_denied_and_mostly_told_apart() {
        let bytes = encoded(&rows(2000).iter().map(|row| Row { id: row.id % 50 + 7, ..*row }).collect::<Vec<_>>());
        let block = decode(&bytes).unwrap();
        assert!(block.iter().all(|row| block.may_name(row.id)));
        assert!((5000..6000).filter(|name| block.may_name(*name)).count() < 100);
    }

    #[test]
    fn block__cut_or_with_any_bit_turned__then_not_read() {
        let bytes = encoded(&rows(20));
        for end in 0..bytes.len() {
            assert!(decode(&bytes[..end]).is_none());
        }
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&damaged).is_none(), "bit {bit}");
        }
    }

    #[test]
    fn block__whose_head_says_less_than_it_holds__then_found_out() {
        let whole = encoded(&rows(2000));
        let zone = *decode(&whole).unwrap().zone();
        assert!(decode(&whole).unwrap().covers());
        let bloom = HEAD_BYTES + COLUMNS * COLUMN_BYTES;
        let told = [
            (40, (zone.times.0 + 1).to_le_bytes()),
            (48, (zone.times.1 - 1).to_le_bytes()),
            (56, (zone.kinds & !2).to_le_bytes()),
            (64, (zone.longest - 1).to_le_bytes()),
            (72, (u64::from(zone.scenarios.1) << 32 | 1).to_le_bytes()),
            (72, u64::from(zone.scenarios.1 - 1).rotate_left(32).to_le_bytes()),
            (bloom, [0; 8]),
        ];
        for (at, word) in told {
            let mut bytes = whole.clone();
            bytes[at..at + 8].copy_from_slice(&word);
            seal(&mut bytes);
            assert!(!decode(&bytes).unwrap().covers(), "{at}");
        }
        let mut bytes = whole.clone();
        bytes[80] = 0; // the levels
        seal(&mut bytes);
        assert!(!decode(&bytes).unwrap().covers());
    }

    #[test]
    fn block__that_begins_behind_its_end__then_not_one() {
        let mut bytes = encoded(&rows(20));
        bytes[40..48].copy_from_slice(&u64::MAX.to_le_bytes());
        seal(&mut bytes);
        assert!(zone(&bytes).is_none() && decode(&bytes).is_none());
        bytes[48..56].copy_from_slice(&u64::MAX.to_le_bytes());
        seal(&mut bytes);
        assert!(decode(&bytes).is_some());
    }

    #[test]
    fn block__with_a_column_of_the_future__then_the_others_are_read() {
        let rows = rows(20);
        let mut bytes = encoded(&rows);
        bytes[HEAD_BYTES + Column::Duration.index() * COLUMN_BYTES] = 200;
        seal(&mut bytes);
        let block = decode(&bytes).unwrap();
        assert!(block.iter().zip(&rows).all(|(found, row)| found == Row { duration: 0, ..*row }));
    }
}
