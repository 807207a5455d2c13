//! The registry: everything a process records into. It hands each thread its rings, numbers strings, counts what could
//! not be recorded, and survives a fork as the child's own registry. Nothing in here waits for a reader.

use std::cell::UnsafeCell;
use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::sync::{Arc, OnceLock};
use std::{env, io};

use crate::clock::Clock;
use crate::gate::{self, Passed};
use crate::header::{SHUT, Writer};
use crate::kind::Home;
use crate::lanes::{Identity, Lanes, Ring, ring_bytes};
use crate::place::{self, Page, Place};
use crate::problem::{Problem, REASONS, Reason, Result};
use crate::ring::{Copied, Record, look};
use crate::settings::Settings;
use crate::strings::{Strings, Tag};
use crate::system::{self, ProcessId};
use crate::{clock, hot, told};

/// What a process records into. Copies are the same registry.
#[derive(Clone, Debug)]
pub struct Registry {
    pub(crate) shared: Arc<Shared>,
}

/// What every copy shares.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) number: u64,
    /// Its number while records are taken, `SHUT_TO_ALL` from then on.
    pub(crate) takes: AtomicU64,
    /// The scenario of threads that have none of their own.
    pub(crate) scenario: AtomicU32,
    settings: Settings,
    root: Option<PathBuf>,
    /// The scenarios of threads by their names, where somebody told them.
    threads: HashMap<String, Vec<u8>>,
    /// What was refused to a thread that stood in the gate itself, to be counted before it gives the gate back.
    within: [AtomicU64; REASONS],
    /// Only behind the gate.
    inner: UnsafeCell<Inner>,
}

// SAFETY: `inner` is only reached through `Shared::inner`, whose proof of having passed the gate lets one thread in.
unsafe impl Send for Shared {}
// SAFETY: as above; everything else is atomic or never changes.
unsafe impl Sync for Shared {}

/// Records of a thread that is gone, taken out of its ring. Only where no reader outside can do it.
#[derive(Debug)]
struct Kept {
    writer: Writer,
    home: Home,
    slots: Vec<Copied>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    forks: u64,
    identity: Identity,
    place: Option<Place>,
    page: Arc<Page>,
    strings: Strings,
    lanes: Vec<Arc<Lanes>>,
    kept: VecDeque<Kept>,
    rings: u64,
    /// A child that could not make a folder of its own.
    refused: Option<Reason>,
}

/// The records of one ring at one moment.
#[derive(Clone, Debug)]
pub struct Lane {
    /// Who wrote them.
    pub writer: Writer,
    /// Which ring.
    pub home: Home,
    /// How many of its records are lost.
    pub lost: u64,
    /// Sequence and record, in order.
    pub records: Vec<(u64, Record)>,
}

static NUMBERS: AtomicU64 = AtomicU64::new(1);
/// The number of no registry.
const SHUT_TO_ALL: u64 = u64::MAX;

impl Shared {
    #[allow(clippy::mut_from_ref)] // the proof is borrowed for as long as the result
    fn inner<'a>(&'a self, _passed: &'a mut Passed) -> &'a mut Inner {
        // SAFETY: there is one `Passed` at a time in the process, and it is borrowed while the reference lives.
        unsafe { &mut *self.inner.get() }
    }

    /// What is behind the gate, of this process: a child of a fork gets rings, strings and counts of its own first.
    pub(crate) fn behind<'a>(&'a self, passed: &'a mut Passed) -> &'a mut Inner {
        let inner = self.inner(passed);
        if inner.forks != gate::forks() {
            inner.begin_again(self.root.as_deref());
            inner.page.set_scenario(self.scenario.load(Relaxed));
        }
        for reason in Reason::ALL {
            let refused = &self.within[reason as usize];
            if refused.load(Relaxed) > 0 {
                inner.page.count_many(reason, refused.swap(0, Relaxed));
            }
        }
        inner
    }

    /// Counts what this thread, which holds the gate, could not record.
    pub(crate) fn refuse_within(self: &Arc<Self>, reason: Reason) {
        self.within[reason as usize].fetch_add(1, Relaxed);
        gate::refused(self);
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let inner = self.inner.get_mut();
        if inner.forks == gate::forks() {
            inner.lanes.iter().for_each(|lanes| lanes.close(SHUT));
            inner.page.over();
        }
    }
}

impl Registry {
    /// A registry in the folder that the environment names, else, or where that cannot be written, in memory that ends
    /// with the process: who runs a program decides where it records, and must not decide whether it works.
    ///
    /// # Errors
    /// The system gives no memory.
    pub fn new() -> Result<Self> {
        let Some(folder) = told::folder() else { return Self::in_memory(Settings::default()) };
        let Ok(made) = Self::make(Some(&folder), told::settings(), told::scenarios()) else {
            return Self::in_memory(told::settings());
        };
        if let Some(scenario) = told::scenario(&folder) {
            made.set_process_scenario(made.string(Tag::Text, &scenario));
        }
        Ok(made)
    }

    /// A registry in memory that ends with the process.
    ///
    /// # Errors
    /// The system gives no memory.
    pub fn in_memory(settings: Settings) -> Result<Self> {
        Self::make(None, settings, HashMap::new())
    }

    /// A registry whose rings are files below this folder, to be read by others, in this life or after it.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn in_folder(rings: &Path, settings: Settings) -> Result<Self> {
        Self::make(Some(rings), settings, HashMap::new())
    }

    fn make(root: Option<&Path>, settings: Settings, threads: HashMap<String, Vec<u8>>) -> Result<Self> {
        gate::watch_forks();
        let identity = identity();
        let (place, page, strings) = begin(root, &identity, None)?;
        let inner = Inner {
            forks: gate::forks(),
            identity,
            place,
            page: Arc::new(page),
            strings,
            lanes: Vec::new(),
            kept: VecDeque::new(),
            rings: 0,
            refused: None,
        };
        let number = NUMBERS.fetch_add(1, Relaxed);
        let shared = Shared {
            number,
            takes: AtomicU64::new(number),
            scenario: AtomicU32::new(0),
            settings,
            root: root.map(Path::to_path_buf),
            threads,
            within: [const { AtomicU64::new(0) }; REASONS],
            inner: UnsafeCell::new(inner),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The settings it was made with.
    pub fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    /// Makes the rings that the program knows by this number, and lets the calling thread write into them unless
    /// another one does.
    ///
    /// # Errors
    /// There is no room for them; it is counted as well.
    pub fn register_thread(&self, label: u64) -> Result<()> {
        hot::register(self, label)
    }

    /// Records at once, into the ring of the calling thread. Time, and the scenario where it is 0, are put in here.
    ///
    /// # Errors
    /// It could not be recorded, and was counted with its reason.
    #[inline]
    pub fn record(&self, home: Home, record: Record) -> Result<()> {
        let [_, what, ids] = record.words();
        hot::record(self, home, what, ids).map_err(Problem::Dropped)
    }

    /// Counts what a source could not even begin to record. What is closed is over for its sources, too.
    pub fn miss(&self, reason: Reason) {
        if self.is_open() {
            hot::miss(self, reason);
        }
    }

    /// From here on, records of the calling thread belong to this scenario; 0 for none.
    ///
    /// # Errors
    /// The thread can have no rings.
    pub fn set_scenario(&self, scenario: u32) -> Result<()> {
        hot::set_scenario(self, scenario)
    }

    /// The scenario that the calling thread was told by its name; 0 for none.
    pub(crate) fn told_scenario(&self) -> u32 {
        if self.shared.threads.is_empty() {
            return 0;
        }
        let found = std::thread::current().name().and_then(|name| self.shared.threads.get(name).cloned());
        found.map_or(0, |scenario| self.string(Tag::Text, &scenario))
    }

    /// The scenario of threads that have none of their own.
    pub fn set_process_scenario(&self, scenario: u32) {
        self.shared.scenario.store(scenario, Relaxed);
        self.shared.behind(&mut Passed::new()).page.set_scenario(scenario);
    }

    /// What was set so.
    #[inline]
    pub fn process_scenario(&self) -> u32 {
        self.shared.scenario.load(Relaxed)
    }

    /// The number of a text, committed before this returns; 0 for one that could not be kept, which is counted.
    pub fn text(&self, text: &str) -> u32 {
        self.string(Tag::Text, text.as_bytes())
    }

    /// The number of a string, as `text`.
    pub fn string(&self, tag: Tag, body: &[u8]) -> u32 {
        if gate::inside() {
            self.shared.refuse_within(Reason::StringsFull);
            return 0;
        }
        let mut passed = Passed::new();
        let inner = self.shared.behind(&mut passed);
        inner.strings.number(tag, body).unwrap_or_else(|_| {
            inner.page.count(Reason::StringsFull);
            0
        })
    }

    /// The string of a number.
    pub fn string_of(&self, number: u32) -> Option<(Tag, Arc<[u8]>)> {
        self.shared.behind(&mut Passed::new()).strings.get(number)
    }

    /// How many records could not be made, by reason, in this process.
    pub fn drops(&self) -> [u64; REASONS] {
        self.shared.behind(&mut Passed::new()).page.counts()
    }

    /// The folder of this process, where there is one.
    pub fn folder(&self) -> Option<PathBuf> {
        self.shared.behind(&mut Passed::new()).place.as_ref().map(|place| place.folder.clone())
    }

    /// Nanoseconds of the monotonic clock for the times in the records of this registry.
    pub fn scale(&self) -> clock::Scale {
        let identity = self.shared.behind(&mut Passed::new()).identity.clone();
        clock::Scale::new(identity.tsc, &identity.anchor, &Clock::read())
    }

    /// Everything that is in the rings now, ring by ring.
    pub fn lanes(&self) -> Vec<Lane> {
        let (mut found, lanes) = {
            let mut passed = Passed::new();
            let inner = self.shared.behind(&mut passed);
            let kept: Vec<Lane> = inner.kept.iter().map(Kept::lane).collect();
            (kept, inner.lanes.clone())
        };
        found.extend(lanes.iter().flat_map(|lanes| lanes.rings().map(read)));
        found
    }

    /// No record is taken from here on; what is in the rings stays for its readers. Any number of times.
    pub fn close(&self) {
        if self.shared.takes.swap(SHUT_TO_ALL, AcqRel) != SHUT_TO_ALL {
            let mut passed = Passed::new();
            self.shared.behind(&mut passed).lanes.iter().for_each(|lanes| lanes.close(SHUT));
        }
    }

    /// Whether records are taken.
    pub fn is_open(&self) -> bool {
        self.shared.takes.load(Acquire) != SHUT_TO_ALL
    }
}

impl Kept {
    fn lane(&self) -> Lane {
        let records = self.slots.iter().map(|slot| (slot[0] - 1, Record::from_copied(slot))).collect();
        Lane { writer: self.writer.clone(), home: self.home, lost: 0, records }
    }
}

fn take_out(ring: &Ring) -> (u64, Vec<Copied>) {
    let (base, mut slots) = (ring.base(), Vec::new());
    let looked = look(&ring.source(), base, usize::MAX, false, &mut slots).unwrap_or_default();
    (looked.overwritten, slots)
}

fn read(ring: &Ring) -> Lane {
    let (lost, slots) = take_out(ring);
    let header = ring.header();
    let records = slots.iter().map(|slot| (slot[0] - 1, Record::from_copied(slot))).collect();
    Lane { writer: header.writer().unwrap_or_default(), home: header.home(), lost, records }
}

fn identity() -> Identity {
    Identity {
        process: ProcessId::own(),
        tsc: clock::tsc_trusted(),
        anchor: Clock::read(),
        traceparent: env::var("TRACEPARENT").unwrap_or_default(),
    }
}

type Begun = (Option<Place>, Page, Strings);

fn begin(root: Option<&Path>, identity: &Identity, inherited: Option<&Strings>) -> Result<Begun> {
    let place = root.map(|root| Place::make(root, identity)).transpose()?;
    let page = Page::new(place.as_ref(), identity)?;
    let mut strings = match &place {
        Some(place) => Strings::create(&place.strings())?,
        None => Strings::in_memory(),
    };
    if let Some(inherited) = inherited {
        strings.inherit(inherited)?;
    }
    Ok((place, page, strings))
}

impl Inner {
    /// After a fork: the parent's rings are the parent's. Numbers of strings stay what they were.
    fn begin_again(&mut self, root: Option<&Path>) {
        self.forks = gate::forks();
        self.identity = identity();
        self.lanes.clear();
        self.kept.clear();
        match begin(root, &self.identity, Some(&self.strings)) {
            Ok((place, page, strings)) => {
                (self.place, self.page, self.strings) = (place, Arc::new(page), strings);
                self.refused = None;
            }
            Err(problem) => {
                self.place = None;
                self.refused = Some(reason_of(&problem));
                if let Ok(page) = Page::new(None, &self.identity) {
                    self.page = Arc::new(page);
                }
            }
        }
    }

    pub(crate) fn page(&self) -> Arc<Page> {
        Arc::clone(&self.page)
    }

    /// The rings for a thread: those of its label, those of a thread that is gone, or new ones.
    pub(crate) fn lanes_for(&mut self, label: Option<u64>, writer: &Writer, settings: &Settings) -> Arc<Lanes> {
        let known = label.and_then(|label| self.lanes.iter().find(|lanes| lanes.label == Some(label)));
        if let Some(known) = known {
            return Arc::clone(known);
        }
        if label.is_none()
            && let Some(free) = self.free(settings)
            && free.hand_over(writer).is_ok()
        {
            return free;
        }
        let lanes = Arc::new(Lanes { label, ..Lanes::default() });
        self.lanes.push(Arc::clone(&lanes));
        lanes
    }

    /// The ring of a thread, made if it is not there.
    pub(crate) fn ring<'a>(
        &mut self,
        lanes: &'a Lanes,
        home: Home,
        writer: &Writer,
        settings: &Settings,
    ) -> std::result::Result<&'a Ring, Reason> {
        if let Some(ring) = lanes.cell(home).get() {
            return Ok(ring);
        }
        if let Some(reason) = self.refused {
            return Err(reason);
        }
        let slots = settings.slots(home);
        let bytes = ring_bytes(slots) as u64;
        self.make_room(home, bytes, settings)?;
        self.rings += 1;
        let made = match &self.place {
            Some(place) => {
                let _lock = place.lock();
                let used = self.used() + place::used(&place.root, &place.folder);
                if used + bytes > Settings::share(home, settings.run_bytes) {
                    return Err(Reason::RunBudget);
                }
                let path = place.ring(writer.tid, home, self.rings);
                let made = Ring::new(Some(&path), home, slots, self.rings, &self.identity, writer);
                self.page.made_rings(u64::from(made.is_ok()));
                made
            }
            None => Ring::new(None, home, slots, self.rings, &self.identity, writer),
        };
        let ring = made.map_err(|cause| reason_of_io(&cause))?;
        Ok(lanes.cell(home).get_or_init(|| ring))
    }

    fn used(&self) -> u64 {
        self.lanes.iter().flat_map(|lanes| lanes.rings()).map(Ring::bytes).sum()
    }

    /// Whether a ring of so many bytes keeps to the budget of all rings, and to that of its home.
    fn fits(&self, home: Home, bytes: u64, settings: &Settings) -> bool {
        let (mut all, mut of_home, mut rings) = (bytes, bytes, 0);
        let mut add = |one: Home, bytes: u64| {
            all += bytes;
            of_home += if one == home { bytes } else { 0 };
        };
        for lanes in &self.lanes {
            for (one, ring) in lanes.by_home() {
                add(one, ring.bytes());
                rings += usize::from(home == Home::Durable || one == home);
            }
        }
        self.kept.iter().for_each(|kept| add(kept.home, kept.bytes()));
        let budget = settings.process_bytes;
        all <= budget && of_home <= Settings::share(home, budget) && rings < Settings::most(home)
    }

    /// The rings of a thread that is gone, if they are drained and there is room for them as a whole.
    fn free(&self, settings: &Settings) -> Option<Arc<Lanes>> {
        let free = || self.lanes.iter().filter(|lanes| lanes.label.is_none() && lanes.free());
        let ready = || free().find(|lanes| self.may_restore(lanes, settings)).map(Arc::clone);
        free().next()?;
        ready().or_else(|| {
            self.shrink();
            ready()
        })
    }

    /// Rings of threads that are gone give back what they had no need of.
    fn shrink(&self) {
        self.lanes.iter().filter(|lanes| lanes.label.is_none() && lanes.abandoned()).for_each(|lanes| lanes.shrink());
    }

    /// Whether there is room for what rings of a thread that is gone have given back.
    fn may_restore(&self, lanes: &Lanes, settings: &Settings) -> bool {
        lanes.by_home().all(|(home, ring)| ring.given_back() == 0 || self.fits(home, ring.given_back(), settings))
    }

    /// Keeps to the budget. In memory, where nobody drains, records of threads that are gone are taken out of their
    /// rings first, and the oldest of those are given up, counted.
    fn make_room(&mut self, home: Home, bytes: u64, settings: &Settings) -> std::result::Result<(), Reason> {
        if self.fits(home, bytes, settings) {
            return Ok(());
        }
        self.shrink();
        if self.place.is_none() {
            let (gone, here): (Vec<_>, Vec<_>) =
                self.lanes.drain(..).partition(|lanes| lanes.label.is_none() && lanes.abandoned());
            self.lanes = here;
            for ring in gone.iter().flat_map(|lanes| lanes.rings()) {
                let (overwritten, slots) = take_out(ring);
                self.page.count_many(Reason::Overwritten, overwritten);
                let header = ring.header();
                let writer = header.writer().unwrap_or_default();
                self.kept.push_back(Kept { writer, home: header.home(), slots });
            }
            drop(gone);
            while !self.fits(home, bytes, settings) {
                // Calls give up calls only.
                let oldest = self.kept.iter().position(|kept| home == Home::Durable || kept.home == home);
                let Some(oldest) = oldest.and_then(|at| self.kept.remove(at)) else { break };
                self.page.count_many(Reason::Overwritten, oldest.slots.len() as u64);
            }
        }
        if self.fits(home, bytes, settings) { Ok(()) } else { Err(Reason::ProcessBudget) }
    }
}

impl Kept {
    fn bytes(&self) -> u64 {
        (self.slots.capacity() * size_of::<Copied>()) as u64
    }
}

fn reason_of(problem: &Problem) -> Reason {
    match problem {
        Problem::Io { cause, .. } => reason_of_io(cause),
        Problem::Dropped(reason) => *reason,
        _ => Reason::Unwritable,
    }
}

fn reason_of_io(cause: &io::Error) -> Reason {
    match cause.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => Reason::DiskFull,
        _ => Reason::Unwritable,
    }
}

static NAMER: OnceLock<fn() -> Option<String>> = OnceLock::new();

/// Has threads that began outside Rust named by whoever knows of them; the first one stays. It is asked once for each
/// thread, while that one can record nothing: it must not run what may record.
pub fn name_threads_by(namer: fn() -> Option<String>) {
    let _ = NAMER.set(namer);
}

/// Who the calling thread is.
pub(crate) fn calling_thread(label: Option<u64>) -> Writer {
    let told = NAMER.get().and_then(|namer| namer());
    let name = told.unwrap_or_else(|| std::thread::current().name().unwrap_or_default().to_owned());
    Writer { tid: system::thread_id(), label, name, base: 0 }
}
