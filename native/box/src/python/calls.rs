//! Calls of Python functions: through `sys.monitoring` from 3.12 on, through the frame evaluator of 3.11, whose one
//! private field is checked before it is believed. Code outside what was chosen is never looked at again.

use std::cell::{Cell, UnsafeCell};
use std::collections::HashMap;
use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use tracer_backend::{Reason, kinds};

use crate::python::api::{Api, Name, Ref, api, kind_of, name_of_kind, optional};
use crate::python::state::{record, registry, text};

/// Code that was met lately, by its address.
const NEAR: usize = 4096;
/// Code beyond this is not kept: a program that makes code without end must not keep all of it alive.
const MOST_CODE: usize = 1 << 17;

static FILE: Name = Name::new(c"co_filename");
static FIRST_LINE: Name = Name::new(c"co_firstlineno");
static QUALIFIED: Name = Name::new(c"co_qualname");
static NAME: Name = Name::new(c"co_name");
static CODE: Name = Name::new(c"__code__");

struct Known {
    near: Vec<(usize, u32, u32)>,
    all: HashMap<usize, (u32, u32)>,
    /// Folders whose code is the project's own.
    roots: Vec<Vec<u8>>,
    /// Parts of paths that are wanted as well, and that are not wanted in the roots.
    include: Vec<Vec<u8>>,
    exclude: Vec<Vec<u8>>,
    /// What a callback gives back to be left alone from then on.
    disable: Ref,
}

struct Held(UnsafeCell<Option<Known>>);

// SAFETY: touched under the interpreter's lock only.
unsafe impl Sync for Held {}

static KNOWN: Held = Held(UnsafeCell::new(None));

#[allow(clippy::mut_from_ref)]
fn known() -> Option<&'static mut Known> {
    // SAFETY: under the interpreter's lock, and no caller keeps it over a call into the interpreter that could let
    // another thread run: attributes of code objects are plain reads.
    unsafe { (*KNOWN.0.get()).as_mut() }
}

/// `choose_calls(disable, roots, include, exclude)`.
pub(crate) extern "C" fn choose(_: Ref, arguments: *const Ref, count: isize) -> Ref {
    let Some(api) = api() else { return ptr::null_mut() };
    let given = api.arguments(arguments, count);
    let texts = |at| api.texts_in(given, at);
    let disable = given.first().copied().unwrap_or(api.none);
    (api.take)(disable);
    let chosen = Known {
        near: vec![(0, 0, 0); NEAR],
        all: HashMap::new(),
        roots: texts(1),
        include: texts(2),
        exclude: texts(3),
        disable,
    };
    // SAFETY: under the interpreter's lock.
    unsafe { *KNOWN.0.get() = Some(chosen) };
    api.nothing()
}

impl Known {
    /// The number of the function's name, 0 for code that is not wanted, and its first line.
    #[inline]
    fn function(&mut self, api: &Api, code: Ref) -> (u32, u32) {
        let address = code as usize;
        let near = (address >> 5) & (NEAR - 1);
        let (found, id, line) = self.near[near];
        if found == address {
            return (id, line);
        }
        self.meet(api, code, near)
    }

    #[cold]
    fn meet(&mut self, api: &Api, code: Ref, near: usize) -> (u32, u32) {
        let address = code as usize;
        if let Some((id, line)) = self.all.get(&address) {
            self.near[near] = (address, *id, *line);
            return (*id, *line);
        }
        let file = api.text_of(code, &FILE);
        let line = u32::try_from(api.number_of(code, &FIRST_LINE)).unwrap_or(0);
        let id = match (self.wants(&file), registry()) {
            (true, Some(registry)) => text(registry, &self.name(api, code, &file)),
            _ => 0,
        };
        if self.all.len() < MOST_CODE {
            // Kept alive, so that its address stays its own.
            (api.take)(code);
            self.all.insert(address, (id, line));
            self.near[near] = (address, id, line);
        }
        (id, line)
    }

    /// Whether code of this file is wanted: the longest rule that speaks of it decides.
    fn wants(&self, file: &[u8]) -> bool {
        let longest = |rules: &[Vec<u8>]| rules.iter().filter(|rule| speaks(rule, file)).map(Vec::len).max();
        let own = self.roots.iter().any(|root| under(root, file)) && !installed(file);
        match (longest(&self.include), longest(&self.exclude)) {
            (Some(yes), no) => no.is_none_or(|no| yes >= no),
            (None, Some(_)) => false,
            (None, None) => own,
        }
    }

    /// Module and qualified name, as far as the path tells.
    fn name(&self, api: &Api, code: Ref, file: &[u8]) -> Vec<u8> {
        let root = self.roots.iter().filter(|root| under(root, file)).map(Vec::len).max().unwrap_or(0);
        let path = file.get(root..).unwrap_or(file);
        let path = match path.windows(15).rposition(|part| part == b"/site-packages/") {
            Some(at) => &path[at + 15..],
            None => path,
        };
        let path = path.strip_prefix(b"/").unwrap_or(path);
        let path = path.strip_suffix(b".py").unwrap_or(path);
        let path = path.strip_suffix(b"/__init__").unwrap_or(path);
        let mut name: Vec<u8> = path.iter().map(|byte| if *byte == b'/' { b'.' } else { *byte }).collect();
        name.push(b'.');
        let qualified = api.text_of(code, &QUALIFIED);
        name.extend_from_slice(&if qualified.is_empty() { api.text_of(code, &NAME) } else { qualified });
        name
    }
}

/// Whether a file was installed, wherever that may be.
pub(crate) fn installed(file: &[u8]) -> bool {
    [&b"site-packages"[..], b"dist-packages", b".venv", b".tox", b".nox"].iter().any(|part| speaks(part, file))
}

pub(crate) fn under(root: &[u8], file: &[u8]) -> bool {
    file.strip_prefix(root).is_some_and(|rest| root.ends_with(b"/") || rest.starts_with(b"/"))
}

/// Whether a rule, whole parts of a path, stands in a path: `a/b` in `/x/a/b/c.py` and in `/x/a/b.py`.
pub(crate) fn speaks(rule: &[u8], file: &[u8]) -> bool {
    let file = file.strip_suffix(b".py").unwrap_or(file);
    file.windows(rule.len()).enumerate().any(|(at, part)| {
        let before = at == 0 || file[at - 1] == b'/';
        let behind = file.get(at + rule.len()).is_none_or(|byte| *byte == b'/');
        part == rule && before && behind
    })
}

#[inline]
fn began(arguments: *const Ref, count: isize) -> Ref {
    let Some(api) = api() else { return ptr::null_mut() };
    let ([code, ..], Some(known)) = (api.arguments(arguments, count), known()) else { return api.nothing() };
    let (id, line) = known.function(api, *code);
    if id == 0 {
        (api.take)(known.disable);
        return known.disable;
    }
    record(kinds::ENTER, 0, id, line);
    api.nothing()
}

/// `call_started(code, offset)`.
pub(crate) extern "C" fn started(_: Ref, arguments: *const Ref, count: isize) -> Ref {
    began(arguments, count)
}

/// `call_resumed(code, offset)`, and with an exception behind: thrown into. That event cannot be left alone.
pub(crate) extern "C" fn resumed(_: Ref, arguments: *const Ref, count: isize) -> Ref {
    let given = began(arguments, count);
    match (api(), count) {
        (Some(api), 3..) if !given.is_null() => {
            (api.drop)(given);
            api.nothing()
        }
        _ => given,
    }
}

/// `call_ended(code, offset, value)`.
pub(crate) extern "C" fn ended(_: Ref, arguments: *const Ref, count: isize) -> Ref {
    let Some(api) = api() else { return ptr::null_mut() };
    let ([code, ..], Some(known)) = (api.arguments(arguments, count), known()) else { return api.nothing() };
    let (id, _) = known.function(api, *code);
    if id == 0 {
        (api.take)(known.disable);
        return known.disable;
    }
    record(kinds::EXIT, 0, id, 0);
    api.nothing()
}

/// `call_unwound(code, offset, exception)`. It cannot be left alone.
pub(crate) extern "C" fn unwound(_: Ref, arguments: *const Ref, count: isize) -> Ref {
    let Some(api) = api() else { return ptr::null_mut() };
    let ([code, _, exception], Some(known)) = (api.arguments(arguments, count), known()) else { return api.nothing() };
    let (id, _) = known.function(api, *code);
    if id != 0
        && let Some(registry) = registry()
    {
        record(kinds::UNWIND, 0, id, text(registry, name_of_kind(kind_of(*exception))));
    }
    api.nothing()
}

// The frame evaluator of 3.11.

type Evaluator = extern "C" fn(*mut c_void, *mut c_void, c_int) -> Ref;

/// Where a frame of 3.11 has its code, in words.
const CODE_AT: usize = 4;
/// The evaluator is not entered once more by us with less than this part of the stack left.
const ROOM: usize = 2;

struct Frames {
    interpreter: *mut c_void,
    get: extern "C" fn(*mut c_void) -> Evaluator,
    set: extern "C" fn(*mut c_void, *mut c_void),
    plain: *mut c_void,
    before: Evaluator,
}

struct HeldFrames(UnsafeCell<Option<Frames>>);

// SAFETY: touched under the interpreter's lock only.
unsafe impl Sync for HeldFrames {}

static FRAMES: HeldFrames = HeldFrames(UnsafeCell::new(None));
static EXPECTED: UnsafeRef = UnsafeRef(Cell::new(ptr::null_mut()));
static SEEN: AtomicBool = AtomicBool::new(false);
static ON: AtomicBool = AtomicBool::new(false);

struct UnsafeRef(Cell<Ref>);

// SAFETY: touched under the interpreter's lock only.
unsafe impl Sync for UnsafeRef {}

fn frames() -> Option<&'static Frames> {
    // SAFETY: written once, under the interpreter's lock, before the evaluator is called.
    unsafe { (*FRAMES.0.get()).as_ref() }
}

thread_local! {
    static STACK: Cell<usize> = const { Cell::new(0) };
}

/// Below this address of the stack no frame of ours is to lie.
fn floor() -> usize {
    STACK.with(|known| {
        if known.get() == 0 {
            let mut attributes = std::mem::MaybeUninit::<libc::pthread_attr_t>::uninit();
            let (mut low, mut size) = (ptr::null_mut(), 0);
            // SAFETY: asks for the stack of this thread; what was made is destroyed again.
            let asked = unsafe {
                let asked = libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr());
                if asked == 0 {
                    libc::pthread_attr_getstack(attributes.as_ptr(), &raw mut low, &raw mut size);
                    libc::pthread_attr_destroy(attributes.as_mut_ptr());
                }
                asked
            };
            // Where nothing is known, nothing is traced: every address is below.
            known.set(if asked == 0 && size > 0 { low as usize + size / ROOM } else { usize::MAX });
        }
        known.get()
    })
}

extern "C" fn evaluate(thread: *mut c_void, frame: *mut c_void, throws: c_int) -> Ref {
    let Some(frames) = frames() else { return ptr::null_mut() };
    // SAFETY: checked with a known function before anything is recorded, see `hook`.
    let code = unsafe { *frame.cast::<Ref>().add(CODE_AT) };
    if !EXPECTED.0.get().is_null() {
        if code == EXPECTED.0.get() {
            SEEN.store(true, Relaxed);
        }
        return (frames.before)(thread, frame, throws);
    }
    let here = 0_u8;
    if (&raw const here as usize) < floor() {
        return deep(frames, thread, frame, throws);
    }
    let (Some(api), Some(known)) = (api(), known()) else { return (frames.before)(thread, frame, throws) };
    let (id, line) = known.function(api, code);
    if id == 0 {
        return (frames.before)(thread, frame, throws);
    }
    record(kinds::ENTER, 0, id, line);
    let value = (frames.before)(thread, frame, throws);
    if value.is_null() {
        unwinds(api, id);
    } else {
        record(kinds::EXIT, 0, id, 0);
    }
    value
}

fn unwinds(api: &Api, id: u32) {
    let kind = (api.error_now)();
    let name = match (kind.is_null(), registry()) {
        (false, Some(registry)) => text(registry, name_of_kind(kind)),
        _ => 0,
    };
    record(kinds::UNWIND, 0, id, name);
}

/// Deep in the stack the interpreter's own evaluator takes over, which does not need more of it for each call.
fn deep(frames: &Frames, thread: *mut c_void, frame: *mut c_void, throws: c_int) -> Ref {
    // How many calls nobody looks at from here on cannot be known: this one is, until it returns.
    if let Some(registry) = registry() {
        registry.miss(Reason::Deep);
    }
    if !frames.are_ours() {
        return (frames.before)(thread, frame, throws); // another stands before us, and stays
    }
    (frames.set)(frames.interpreter, frames.plain);
    let value = (frames.before)(thread, frame, throws);
    if ON.load(Relaxed) && (frames.get)(frames.interpreter) as *mut c_void == frames.plain {
        (frames.set)(frames.interpreter, evaluate as Evaluator as *mut c_void);
    }
    value
}

impl Frames {
    /// Whether nobody has put another evaluator, a debugger's for instance, before ours since.
    fn are_ours(&self) -> bool {
        (self.get)(self.interpreter) as *mut c_void == evaluate as Evaluator as *mut c_void
    }
}

/// `hook_frames(function)`: `function` takes nothing and is called once, to see that frames are what we take them for.
pub(crate) extern "C" fn hook(_: Ref, arguments: *const Ref, count: isize) -> Ref {
    let Some(api) = api() else { return ptr::null_mut() };
    let given = api.arguments(arguments, count);
    let refuse = |why: &str| api.fail(api.os_error, why);
    let Some(sample) = given.first().copied() else { return refuse("there is no function to try") };
    let names = [
        c"PyInterpreterState_Get",
        c"_PyInterpreterState_GetEvalFrameFunc",
        c"_PyInterpreterState_SetEvalFrameFunc",
        c"_PyEval_EvalFrameDefault",
    ];
    let [Some(state), Some(get), Some(set), Some(plain)] = names.map(optional) else {
        return refuse("this interpreter hides its frame evaluator");
    };
    // SAFETY: these functions have these signatures in 3.11, the one version that the caller lets in here.
    let (state, get, set) = unsafe {
        (
            std::mem::transmute::<*mut c_void, extern "C" fn() -> *mut c_void>(state),
            std::mem::transmute::<*mut c_void, extern "C" fn(*mut c_void) -> Evaluator>(get),
            std::mem::transmute::<*mut c_void, extern "C" fn(*mut c_void, *mut c_void)>(set),
        )
    };
    let interpreter = state();
    let before = get(interpreter);
    // SAFETY: under the interpreter's lock.
    unsafe { *FRAMES.0.get() = Some(Frames { interpreter, get, set, plain, before }) };
    let Some(code) = api.get(sample, &CODE) else { return refuse("what is to be tried is no function") };
    EXPECTED.0.set(code);
    SEEN.store(false, Relaxed);
    set(interpreter, evaluate as Evaluator as *mut c_void);
    let value = api.call(sample, &[]);
    EXPECTED.0.set(ptr::null_mut());
    (api.drop)(code);
    if value.is_null() {
        (api.clear_error)();
    } else {
        (api.drop)(value);
    }
    if !SEEN.load(Relaxed) {
        set(interpreter, before as *mut c_void);
        return refuse("frames of this interpreter are not what they should be");
    }
    ON.store(true, Relaxed);
    api.nothing()
}

/// `unhook_frames()`: whatever evaluated before evaluates again, unless another stands before us: that one stays.
pub(crate) extern "C" fn unhook(_: Ref, _: *const Ref, _: isize) -> Ref {
    if let (true, Some(frames)) = (ON.swap(false, Relaxed), frames())
        && frames.are_ours()
    {
        (frames.set)(frames.interpreter, frames.before as *mut c_void);
    }
    api().map_or(ptr::null_mut(), Api::nothing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[test]
    fn rules__as_parts_of_paths__then_whole_parts_only() {
        assert!(speaks(b"shop/cart", b"/x/shop/cart.py") && speaks(b"shop", b"/x/shop/a.py"));
        assert!(!speaks(b"shop", b"/x/workshop/a.py") && !speaks(b"shop", b"/x/shop2.py"));
        assert!(under(b"/a", b"/a/b.py") && !under(b"/a", b"/ab/b.py"));
    }

    static STANDS: AtomicUsize = AtomicUsize::new(0);
    static SEEN_INSIDE: AtomicUsize = AtomicUsize::new(0);
    static COMES_INSIDE: AtomicUsize = AtomicUsize::new(0);

    extern "C" fn put(_: *mut c_void, evaluator: *mut c_void) {
        STANDS.store(evaluator as usize, Relaxed);
    }

    extern "C" fn stands(_: *mut c_void) -> Evaluator {
        // SAFETY: only addresses of evaluators are put there.
        unsafe { std::mem::transmute::<usize, Evaluator>(STANDS.load(Relaxed)) }
    }

    extern "C" fn plain(_: *mut c_void, _: *mut c_void, _: c_int) -> Ref {
        SEEN_INSIDE.store(STANDS.load(Relaxed), Relaxed);
        if COMES_INSIDE.load(Relaxed) != 0 {
            STANDS.store(COMES_INSIDE.load(Relaxed), Relaxed);
        }
        ptr::null_mut()
    }

    extern "C" fn debugger(_: *mut c_void, _: *mut c_void, count: c_int) -> Ref {
        ptr::without_provenance_mut(usize::try_from(count).unwrap_or(8))
    }

    #[test]
    fn evaluator__of_another_that_came_later__then_left_where_it_stands() {
        let [ours, plain_one, other] = [evaluate as Evaluator, plain, debugger].map(|one| one as usize);
        let null = ptr::null_mut();
        let frames = Frames { interpreter: null, get: stands, set: put, plain: plain as Evaluator as _, before: plain };
        ON.store(true, Relaxed);
        let deeper = |stood: usize, comes: usize| {
            STANDS.store(stood, Relaxed);
            COMES_INSIDE.store(comes, Relaxed);
            deep(&frames, null, null, 0);
            (SEEN_INSIDE.load(Relaxed), STANDS.load(Relaxed))
        };
        assert_eq!(deeper(ours, 0), (plain_one, ours), "out of the way, and back");
        assert_eq!(deeper(other, 0), (other, other));
        assert_eq!(deeper(ours, other), (plain_one, other), "it came while we were out of the way");
        ON.store(false, Relaxed);
        assert_eq!(deeper(ours, 0), (plain_one, plain_one), "unhooked meanwhile");
    }

    #[test]
    fn code__of_installed_packages__then_left_out_unless_named() {
        let rules = |include: &[&str], exclude: &[&str]| Known {
            near: Vec::new(),
            all: HashMap::new(),
            roots: vec![b"/p".to_vec()],
            include: include.iter().map(|rule| rule.as_bytes().to_vec()).collect(),
            exclude: exclude.iter().map(|rule| rule.as_bytes().to_vec()).collect(),
            disable: ptr::null_mut(),
        };
        let installed: &[u8] = b"/p/.venv/lib/python3.11/site-packages/shop/cart.py";
        assert!(rules(&[], &[]).wants(b"/p/shop/cart.py") && !rules(&[], &[]).wants(installed));
        assert!(rules(&["shop"], &[]).wants(installed) && !rules(&["shop"], &["shop/cart"]).wants(installed));
        assert!(!rules(&[], &["shop"]).wants(b"/p/shop/cart.py") && !rules(&[], &[]).wants(b"/usr/lib/a.py"));
    }
}
