//! An allocator that records each of its calls into the registry: it is called while the registry itself allocates, and
//! neither waits for itself nor loses anything without a count.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::OnceLock;
use std::thread;

use common::Folder;
use tracer_backend::header::DROPS;
use tracer_backend::reader::ProcessFolder;
use tracer_backend::{Home, REASONS, Reason, Record, Registry, Settings, Tag, kinds};

struct Telling;

static REGISTRY: OnceLock<Registry> = OnceLock::new();

thread_local! {
    /// Records and texts that this thread asked for.
    static ASKED: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
    static TELLS: Cell<bool> = const { Cell::new(false) };
}

// SAFETY: the system's own allocator does the work.
unsafe impl GlobalAlloc for Telling {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if TELLS.get()
            && let Some(registry) = REGISTRY.get()
        {
            let (records, texts) = ASKED.get();
            ASKED.set((records + 1, texts + 1));
            TELLS.set(false);
            // What it asks for allocates as well; that is told only where this thread is in the gate already.
            registry.string(Tag::Text, b"allocates");
            TELLS.set(true);
            drop(registry.record(Home::Durable, Record { kind: kinds::POINT.0, ..Record::default() }));
        }
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Telling = Telling;

#[test]
fn allocator__that_records__then_never_waits_for_itself_and_every_record_is_kept_or_counted() {
    let folder = Folder::new();
    let registry = REGISTRY.get_or_init(|| Registry::in_folder(folder.path(), Settings::default()).expect("a disk"));
    let asked: u64 = thread::scope(|scope| {
        let threads: Vec<_> = (0..3)
            .map(|thread| {
                scope.spawn(move || {
                    TELLS.set(true);
                    for number in 0..100 {
                        // Allocates behind the gate, the first time also while this thread gets its rings.
                        registry.text(&format!("text {number} of thread {thread}"));
                    }
                    TELLS.set(false);
                    ASKED.get().0
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
    });
    // As whoever reads the folder sees it: nobody has passed the gate since.
    let page = ProcessFolder::all(folder.path()).expect("a folder").remove(0).page().expect("a page");
    let told: [u64; REASONS] = std::array::from_fn(|reason| page.word(DROPS + reason));
    let lanes = registry.lanes();
    let kept: u64 = lanes.iter().map(|lane| lane.records.len() as u64 + lane.lost).sum();
    let dropped = registry.drops()[Reason::ThreadEnded as usize];
    assert!(asked > 600, "{asked} records of allocations");
    assert!(dropped > 0, "some fell into the gate");
    assert_eq!(kept + dropped, asked);
    assert_eq!(told, registry.drops(), "counted before the gate was given back");
}
