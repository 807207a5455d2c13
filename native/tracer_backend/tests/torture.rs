//! P4 for what is read from files that anybody may have written: blocks, string segments, payloads, rings. And P5 by
//! chance: random schedules of a writer's stores and a reader's loads, the writer dead after any of them.
//! `TRACEKIT_TORTURE_INPUTS` and `TRACEKIT_TORTURE_SCHEDULES` say how many.

use std::cell::RefCell;
use std::hint::black_box;
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use tracekit_torment::{Counting, Random, figure, torment};
use tracer_backend::block::{self, Place, decode, seal};
use tracer_backend::header::Header;
use tracer_backend::ring::{Memory, Slot, Word, look, push};
use tracer_backend::strings::{self, RECORD_HEAD, Tag, encode, entries};
use tracer_backend::{Column, Row, payload};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const DEFAULT_SCHEDULES: u64 = 20_000;

fn rows(count: u32) -> Vec<Row> {
    let mut random = Random::new(u64::from(count));
    (0..count)
        .map(|n| Row {
            time: (1 << 40) + u64::from(n) * 1000,
            duration: random.draw() >> (16 + n % 40),
            kind: u8::try_from(n % 6).unwrap_or(0),
            flags: u8::try_from(n % 8).unwrap_or(0),
            lane: n % 3,
            id: n % 700,
            arg: n,
            sequence: n.into(),
            ..Row::default()
        })
        .collect()
}

fn blocks() -> Vec<Vec<u8>> {
    let encoded = |count| {
        let mut out = Vec::new();
        block::encode(&rows(count), Place { segment: 1, number: 2, strings: 3 }, &mut out);
        out
    };
    [1, 2, 9, 100, 1100].map(encoded).into()
}

fn read_block(bytes: &[u8]) {
    let Some(block) = decode(bytes) else { return };
    let mut column = Vec::new();
    for name in Column::ALL {
        block.column(name, &mut column);
        assert_eq!(column.len(), block.rows(), "a column of another length");
    }
    black_box(block.iter().fold(0_u64, |sum, row| sum.wrapping_add(row.sequence)));
    black_box(block.may_name(1));
}

fn segments() -> Vec<Vec<u8>> {
    let mut fields = Vec::new();
    payload::put(&mut fields, "text", b"hello");
    payload::put_number(&mut fields, "line", 12);
    let mut whole = strings::MAGIC.to_vec();
    for (number, (tag, body)) in (1..).zip([(Tag::Text, &b"a"[..]), (Tag::Payload, &fields), (Tag::Lane, &fields)]) {
        encode(number, tag, body, &mut whole);
    }
    let mut long = strings::MAGIC.to_vec();
    encode(1, Tag::Text, &[b'x'; 5000], &mut long);
    vec![whole, long, strings::MAGIC.to_vec(), fields]
}

/// Puts the checksums of a string segment right, record after record, as far as lengths lead.
fn repair_segment(bytes: &mut [u8]) {
    let mut at = strings::MAGIC.len();
    while let Some(head) = bytes.get(at..at + RECORD_HEAD) {
        let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let Some(body) = bytes.get(at + RECORD_HEAD..(at + RECORD_HEAD).saturating_add(length)) else { return };
        let mut crc = crc32fast::Hasher::new();
        crc.update(&head[..12]);
        crc.update(body);
        let crc = crc.finalize().to_le_bytes();
        bytes[at + 12..at + 16].copy_from_slice(&crc);
        at += RECORD_HEAD + length;
    }
}

fn read_segment(bytes: &[u8]) {
    let mut found = entries(bytes);
    let (mut count, mut total) = (0, 0);
    for entry in found.by_ref() {
        count += 1;
        total += entry.body.len();
        assert_eq!(entry.number, count, "numbers count");
        black_box(payload::number(entry.body, "line"));
    }
    assert!(found.committed() <= bytes.len() && total <= bytes.len(), "more than there is");
    assert!(payload::fields(bytes).map(|(name, value)| name.len() + value.len()).sum::<usize>() <= bytes.len());
    if let Some(header) = Header::from_bytes(bytes) {
        black_box((header.writer(), header.home()));
    }
}

thread_local! {
    static SCHEDULE: RefCell<Schedule> = RefCell::new(Schedule::default());
}

/// A writer's stores in their order, played back between a reader's loads.
#[derive(Default)]
struct Schedule {
    memory: Vec<u64>,
    stores: Vec<(usize, u64)>,
    played: usize,
    dies_at: usize,
    writing: bool,
    random: Option<Random>,
}

/// A word of the played memory, by its place.
struct Played(usize);

impl Word for Played {
    fn load(&self, _order: Ordering) -> u64 {
        SCHEDULE.with_borrow_mut(|schedule| {
            let steps = schedule.random.as_mut().map_or(0, |random| match random.below(8) {
                0..5 => 0,
                5 => 1,
                6 => random.below(8),
                _ => random.below(64),
            });
            for _ in 0..steps {
                schedule.step();
            }
            schedule.memory[self.0]
        })
    }

    fn store(&self, value: u64, _order: Ordering) {
        SCHEDULE.with_borrow_mut(|schedule| {
            assert!(schedule.writing, "a reader writes nothing");
            schedule.stores.push((self.0, value));
        });
    }

    fn fence(_order: Ordering) {}
}

impl Schedule {
    fn step(&mut self) {
        if self.played < self.dies_at {
            let (at, value) = self.stores[self.played];
            self.memory[at] = value;
            self.played += 1;
        }
    }
}

/// One schedule: some records, the writer's death after a random store, a reader that looks again and again.
fn schedule(random: &mut Random) -> Result<(), String> {
    const SLOTS: usize = 8;
    const STORES: usize = 5;
    let written = 1 + random.below(30);
    let ring: Vec<Slot<Played>> = (0..SLOTS)
        .map(|slot| {
            let word = |at| Played(1 + slot * 4 + at);
            Slot { stamp: word(0), time: word(1), what: word(2), ids: word(3) }
        })
        .collect();
    let head = Played(0);
    let mark = |sequence: u64| [sequence * 3, sequence * 5, sequence * 7];
    SCHEDULE.set(Schedule { memory: vec![0; 1 + SLOTS * 4], writing: true, ..Schedule::default() });
    for sequence in 0..written as u64 {
        push(&head, &ring, sequence, mark(sequence));
    }
    let seed = random.draw();
    let dies_at = random.below(written * STORES + 1);
    SCHEDULE.with_borrow_mut(|schedule| {
        schedule.writing = false;
        schedule.dies_at = dies_at;
        schedule.random = Some(Random::new(seed));
    });
    let memory = Memory { head: &head, slots: &ring };
    let most = 1 + random.below(16);
    let (mut next, mut kept, mut lost, mut out) = (0, 0_u64, 0_u64, Vec::new());
    let mut check = |dead: bool, next: &mut u64| -> Result<(), String> {
        out.clear();
        let looked = look(&memory, *next, most, dead, &mut out).map_err(|fault| fault.to_string())?;
        for (sequence, slot) in (looked.first..).zip(&out) {
            let [time, what, ids] = mark(sequence);
            if *slot != [sequence + 1, time, what, ids] {
                return Err(format!("torn: {slot:?} as {sequence}"));
            }
        }
        kept += out.len() as u64;
        lost += looked.overwritten + looked.damaged;
        *next = looked.next;
        Ok(())
    };
    for _ in 0..6 {
        check(false, &mut next)?;
    }
    SCHEDULE.with_borrow_mut(|schedule| (0..schedule.stores.len()).for_each(|_| schedule.step()));
    loop {
        let before = next;
        check(true, &mut next)?;
        if next == before {
            break;
        }
    }
    // A record counts from its stamp on, which is the store before the last of its push.
    let committed = (dies_at / STORES + usize::from(dies_at % STORES == STORES - 1)) as u64;
    if next == committed && kept + lost == committed {
        Ok(())
    } else {
        Err(format!("{committed} committed, {kept} kept, {lost} lost, next {next}"))
    }
}

fn schedules() -> bool {
    let count = figure("TRACEKIT_TORTURE_SCHEDULES", DEFAULT_SCHEDULES);
    let mut random = Random::new(20_240);
    let mut faults = 0;
    for number in 0..count {
        if let Err(fault) = schedule(&mut random) {
            faults += 1;
            eprintln!("schedule {number}: {fault}");
        }
    }
    println!("P5 schedules={count} faults={faults} {}", if faults == 0 { "ok" } else { "FAILED" });
    faults == 0
}

fn main() -> ExitCode {
    let blocks = torment("block", &blocks(), |input, _| seal(input), read_block);
    let strings = torment("strings", &segments(), |input, _| repair_segment(input), read_segment);
    let schedules = schedules();
    if blocks && strings && schedules { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
