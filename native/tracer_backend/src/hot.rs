//! From a thread to its rings. The hot path is a look at this thread's own cells and the stores of a push; everything
//! else (first record, another registry, after a fork, at the thread's end) goes the slow way behind the gate.

use std::cell::{Cell, RefCell};
use std::ptr;
use std::sync::atomic::Ordering::{AcqRel, Relaxed, Release};
use std::sync::{Arc, Weak};

use crate::gate::{self, Passed};
use crate::header::{ENDED, Writer};
use crate::kind::Home;
use crate::lanes::{Lanes, Pen};
use crate::place::Page;
use crate::problem::{Problem, Reason, Result};
use crate::registry::{Registry, Shared, calling_thread};
use crate::ring::SCENARIO_SHIFT;

/// A thread that got no ring asks again after so many records.
const ASK_AGAIN: u32 = 1024;

/// Where records of one home go, as long as the registry with this number takes them; 0 is nobody's number. One look
/// tells whether the pen may be used: it is taken out of here before a registry, a thread or a ring goes, and by a fork.
struct Way {
    registry: Cell<u64>,
    pen: Cell<*const Pen>,
}

impl Way {
    const fn none() -> Self {
        Self { registry: Cell::new(0), pen: Cell::new(ptr::null()) }
    }

    fn open(&self, registry: u64, pen: Option<&Pen>) {
        self.registry.set(if pen.is_some() { registry } else { 0 });
        self.pen.set(pen.map_or(ptr::null(), ptr::from_ref));
    }
}

struct Hot {
    calls: Way,
    durable: Way,
    /// The registry whose scenario stands here.
    registry: Cell<u64>,
    scenario: Cell<u32>,
}

impl Hot {
    fn close(&self) {
        self.calls.open(0, None);
        self.durable.open(0, None);
        self.registry.set(0);
    }
}

/// What a thread holds of a registry.
struct Held {
    registry: u64,
    owner: Weak<Shared>,
    forks: u64,
    scenario: u32,
    lanes: Arc<Lanes>,
    page: Arc<Page>,
    calls: Option<Box<Pen>>,
    durable: Option<Box<Pen>>,
    /// For the ring of calls and the durable one.
    refused: [Option<(Reason, u32)>; 2],
}

thread_local! {
    static HOT: Hot = const {
        Hot {
            calls: Way::none(),
            durable: Way::none(),
            registry: Cell::new(0),
            scenario: Cell::new(0),
        }
    };
    static HELD: RefCell<Vec<Held>> = const { RefCell::new(Vec::new()) };
}

impl Drop for Held {
    fn drop(&mut self) {
        HOT.with(|hot| {
            if hot.registry.get() == self.registry {
                hot.close();
            }
        });
        // A child of a fork holds rings that are its parent's.
        if self.forks == gate::forks() {
            self.lanes.close(ENDED);
            self.lanes.ended.store(true, Release);
            self.lanes.bound.store(false, Release);
        }
    }
}

/// In the child of a fork: the rings that the forking thread wrote are its parent's.
pub(crate) fn leave_rings() {
    HOT.with(Hot::close);
}

/// The cells of the calling thread. Apart from what is inlined: here they are a fixed distance away, in other crates they
/// would be found by more.
#[inline(never)]
fn cells() -> *const Hot {
    HOT.with(ptr::from_ref)
}

/// Inlined into its callers, who mostly know the home and have no scenario to give: then nothing of either is asked.
#[inline]
pub(crate) fn record(registry: &Registry, home: Home, what: u64, ids: u64) -> std::result::Result<(), Reason> {
    // SAFETY: the cells of this thread, which runs; they are never dropped.
    let hot = unsafe { &*cells() };
    let shared = &*registry.shared;
    let way = match home {
        Home::Calls => &hot.calls,
        Home::Durable => &hot.durable,
        Home::Drain => return Ok(()), // the drain's own to write
    };
    if way.registry.get() != shared.takes.load(Relaxed) {
        return slowly(registry, home, what, ids);
    }
    let mut what = what;
    if what >> SCENARIO_SHIFT == 0 {
        let own = hot.scenario.get();
        let scenario = if own == 0 { shared.scenario.load(Relaxed) } else { own };
        what |= u64::from(scenario) << SCENARIO_SHIFT;
    }
    // SAFETY: a way with a number has a pen, this thread's own in its `HELD`, which takes it out before it goes.
    unsafe { (*way.pen.get()).write(what, ids) };
    Ok(())
}

#[cold]
#[inline(never)]
fn slowly(registry: &Registry, home: Home, what: u64, ids: u64) -> std::result::Result<(), Reason> {
    if home == Home::Calls && !registry.settings().calls {
        return Ok(()); // not asked for, so not missing
    }
    if gate::inside() {
        registry.shared.refuse_within(Reason::ThreadEnded);
        return Err(Reason::ThreadEnded);
    }
    if !registry.is_open() {
        return Err(drop_one(registry, Reason::Closed));
    }
    let found = HELD.try_with(|held| {
        let Ok(mut held) = held.try_borrow_mut() else { return Err(Reason::ThreadEnded) };
        let at = held_of(registry, &mut held, None);
        held[at].pen(registry, home)
    });
    match found {
        Ok(Ok(())) => record(registry, home, what, ids),
        Ok(Err(reason)) => Err(drop_one(registry, reason)),
        Err(_) => Err(drop_one(registry, Reason::ThreadEnded)),
    }
}

#[cold]
pub(crate) fn miss(registry: &Registry, reason: Reason) {
    if gate::inside() {
        registry.shared.refuse_within(reason);
    } else {
        drop_one(registry, reason);
    }
}

fn drop_one(registry: &Registry, reason: Reason) -> Reason {
    // Without the gate where this thread knows the page: a flood that is refused must not hold up the others.
    let counted = HELD.try_with(|held| {
        held.try_borrow().is_ok_and(|held| {
            let known = held.iter().find(|held| held.registry == registry.shared.number && held.forks == gate::forks());
            known.map(|held| held.page.count(reason)).is_some()
        })
    });
    if !counted.unwrap_or(false) {
        registry.shared.behind(&mut Passed::new()).page().count(reason);
    }
    reason
}

/// What this thread holds of the registry, at the end of the list; it gets it if it has nothing.
fn held_of(registry: &Registry, held: &mut Vec<Held>, label: Option<u64>) -> usize {
    let number = registry.shared.number;
    held.retain(|held| held.owner.strong_count() > 0 && (held.registry != number || held.forks == gate::forks()));
    let at = held.iter().position(|held| held.registry == number);
    if let (Some(at), None) = (at, label) {
        return at;
    }
    // Before the gate: whoever names threads may have to wait for another one.
    let writer = calling_thread(label);
    let mut passed = Passed::new();
    let inner = registry.shared.behind(&mut passed);
    let mut lanes = inner.lanes_for(label, &writer, registry.settings());
    if lanes.bound.swap(true, AcqRel) {
        // The label is another thread's, or this one's already: the rings are there, which is what was asked for.
        if let Some(at) = at {
            return at;
        }
        lanes = inner.lanes_for(None, &Writer { label: None, ..writer }, registry.settings());
        lanes.bound.store(true, Release);
    }
    let page = inner.page();
    drop(passed);
    let scenario = at.map_or_else(|| registry.told_scenario(), |at| held[at].scenario);
    if let Some(at) = at {
        held.swap_remove(at).let_go();
    }
    let forks = gate::forks();
    let owner = Arc::downgrade(&registry.shared);
    let (calls, durable, refused) = (None, None, [None; 2]);
    held.push(Held { registry: number, owner, forks, scenario, lanes, page, calls, durable, refused });
    held.len() - 1
}

impl Held {
    /// Gives the rings back; those of a label stay open for whoever asks for them.
    fn let_go(mut self) {
        if self.lanes.label.is_some() {
            HOT.with(Hot::close);
            self.lanes.bound.store(false, Release);
            self.lanes = Arc::new(Lanes::default());
        }
    }

    /// Makes the pen for a ring, and puts what this thread holds into its cells.
    fn pen(&mut self, registry: &Registry, home: Home) -> std::result::Result<(), Reason> {
        let has = if home == Home::Calls { self.calls.is_some() } else { self.durable.is_some() };
        if !has {
            let refused = &mut self.refused[usize::from(home == Home::Calls)];
            if let Some((reason, left @ 1..)) = *refused {
                *refused = Some((reason, left - 1));
                return Err(reason);
            }
            let writer = calling_thread(self.lanes.label);
            let mut passed = Passed::new();
            let inner = registry.shared.behind(&mut passed);
            let ring = inner.ring(&self.lanes, home, &writer, registry.settings());
            let pen = ring.map(|ring| Box::new(Pen::new(ring)));
            *refused = pen.as_ref().err().map(|reason| (*reason, ASK_AGAIN));
            let cell = if home == Home::Calls { &mut self.calls } else { &mut self.durable };
            *cell = Some(pen?);
        }
        HOT.with(|hot| {
            hot.calls.open(self.registry, self.calls.as_deref());
            hot.durable.open(self.registry, self.durable.as_deref());
            hot.scenario.set(self.scenario);
            hot.registry.set(self.registry);
        });
        Ok(())
    }
}

pub(crate) fn register(registry: &Registry, label: u64) -> Result<()> {
    if !registry.is_open() {
        return Err(Problem::Dropped(drop_one(registry, Reason::Closed)));
    }
    let done = HELD.try_with(|held| {
        let Ok(mut held) = held.try_borrow_mut() else { return Err(Reason::ThreadEnded) };
        let at = held_of(registry, &mut held, Some(label));
        if held[at].lanes.label == Some(label) && registry.settings().calls {
            held[at].pen(registry, Home::Calls)?;
        }
        held[at].pen(registry, Home::Durable)
    });
    done.unwrap_or(Err(Reason::ThreadEnded)).map_err(|reason| Problem::Dropped(drop_one(registry, reason)))
}

pub(crate) fn set_scenario(registry: &Registry, scenario: u32) -> Result<()> {
    let done = HELD.try_with(|held| {
        let Ok(mut held) = held.try_borrow_mut() else { return Err(Reason::ThreadEnded) };
        let at = held_of(registry, &mut held, None);
        held[at].scenario = scenario;
        HOT.with(|hot| {
            if hot.registry.get() == registry.shared.number {
                hot.scenario.set(scenario);
            }
        });
        Ok(())
    });
    done.unwrap_or(Err(Reason::ThreadEnded)).map_err(|reason| Problem::Dropped(drop_one(registry, reason)))
}
