//! P5: every interleaving of one writer and one reader over a small ring, as the memory model allows them.

use std::sync::atomic::Ordering;

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, fence};
use loom::thread;
use tracer_backend::ring::{Memory, Slot, Word, look, push};

struct Explored(AtomicU64);

impl Default for Explored {
    fn default() -> Self {
        Self(AtomicU64::new(0))
    }
}

impl Word for Explored {
    fn load(&self, order: Ordering) -> u64 {
        self.0.load(order)
    }

    fn store(&self, value: u64, order: Ordering) {
        self.0.store(value, order);
    }

    fn fence(order: Ordering) {
        fence(order);
    }
}

/// The writer writes so many records, the reader looks once; whatever it believes is whole, in order and accounted for.
fn explore(slots: usize, written: u64, from: u64) {
    loom::model(move || {
        let ring = Arc::new((Explored::default(), (0..slots).map(|_| Slot::default()).collect::<Vec<_>>()));
        let writer = {
            let ring = Arc::clone(&ring);
            thread::spawn(move || {
                for sequence in 0..written {
                    push(&ring.0, &ring.1, sequence, [sequence + 100, sequence + 200, sequence + 300]);
                }
            })
        };
        let mut out = Vec::new();
        let memory = Memory { head: &ring.0, slots: &ring.1 };
        let looked = look(&memory, from, usize::MAX, false, &mut out).expect("memory can be read");
        assert_eq!(looked.damaged, 0);
        assert!(looked.next <= written.max(from));
        assert_eq!(looked.first - from, looked.overwritten);
        assert_eq!(out.len() as u64, looked.next - looked.first);
        for (sequence, slot) in (looked.first..).zip(&out) {
            assert_eq!(*slot, [sequence + 1, sequence + 100, sequence + 200, sequence + 300]);
        }
        writer.join().expect("the writer ends");
        // What was not taken the first time is there the second time, or counted.
        out.clear();
        let again = look(&memory, looked.next, usize::MAX, true, &mut out).expect("memory can be read");
        assert_eq!((again.next, again.damaged), (written.max(from), 0));
        assert_eq!(again.first + out.len() as u64, again.next);
    });
}

#[test]
fn ring__that_goes_round_under_the_reader__then_no_interleaving_tears_a_record() {
    explore(2, 3, 0);
}

#[test]
fn ring__that_is_not_full__then_no_interleaving_loses_a_record() {
    explore(4, 2, 0);
}
