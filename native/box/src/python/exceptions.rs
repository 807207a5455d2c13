//! Exceptions: told where they are raised (`sys.monitoring`, from 3.12 on), or by the probe at a report. What Python's own
//! library and the runner raise and catch by themselves, several times in each test, is nobody's evidence; it is told
//! once it comes to anybody else's code.

use std::cell::UnsafeCell;
use std::ptr;

use tracer_backend::kinds;

use crate::python::api::{Api, Name, Ref, api, kind_of, name_of_kind};
use crate::python::calls::{installed, speaks, under};
use crate::python::state::{message, record, registry, text};

/// Raised, and perhaps handled, in code that is not the project's.
const DEBUG: u8 = 2;
/// Raised in the project's code, or come to it: it may well be handled.
const INFO: u8 = 3;
/// It ended what was running.
const ERROR: u8 = 5;

/// Code that raised lately, by its address; what is put out is asked for anew.
const NEAR: usize = 1024;
/// The runner's own packages.
const RUNNER: [&[u8]; 5] = [b"_pytest", b"pluggy", b"_tkprobe", b"xdist", b"execnet"];

static ARGS: Name = Name::new(c"args");
static TRACEBACK: Name = Name::new(c"__traceback__");
static NEXT: Name = Name::new(c"tb_next");
static FILE: Name = Name::new(c"co_filename");

/// Whose a piece of code is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Whose {
    /// Python's library, or the runner's.
    Quiet,
    /// An installed package's.
    Foreign,
    /// The project's.
    Own,
}

struct Known {
    /// Addresses, and whose it is. What stands here is kept alive, so that its address stays its own.
    near: Vec<(Ref, Whose)>,
    roots: Vec<Vec<u8>>,
    include: Vec<Vec<u8>>,
    library: Vec<Vec<u8>>,
    /// The exception that was told last: it is on its way through frames. Only compared, never followed.
    last: (usize, Whose),
}

struct Held(UnsafeCell<Known>);

// SAFETY: touched under the interpreter's lock only.
unsafe impl Sync for Held {}

static KNOWN: Held = Held(UnsafeCell::new(Known {
    near: Vec::new(),
    roots: Vec::new(),
    include: Vec::new(),
    library: Vec::new(),
    last: (0, Whose::Quiet),
}));

#[allow(clippy::mut_from_ref)]
fn known() -> &'static mut Known {
    // SAFETY: under the interpreter's lock, and no caller keeps it over a call into the interpreter that could let another
    // thread run: the name of a file in a code object is a plain read.
    unsafe { &mut *KNOWN.0.get() }
}

/// `choose_raised(roots, include, library)`: the folders of the project, parts of paths that count as its own, and the
/// folders of Python's library.
pub(crate) extern "C" fn choose(_: Ref, arguments: *const Ref, count: isize) -> Ref {
    let Some(api) = api() else { return ptr::null_mut() };
    let given = api.arguments(arguments, count);
    let [roots, include, library] = [0, 1, 2].map(|at| api.texts_in(given, at));
    let known = known();
    (known.roots, known.include, known.library) = (roots, include, library);
    let before = std::mem::take(&mut known.near);
    before.into_iter().filter(|(code, _)| !code.is_null()).for_each(|(code, _)| (api.drop)(code));
    api.nothing()
}

impl Known {
    #[inline]
    fn whose(&mut self, api: &Api, code: Ref) -> Whose {
        let at = (code as usize >> 5) & (NEAR - 1);
        match self.near.get(at) {
            Some((found, whose)) if *found == code => *whose,
            _ => self.meet(api, code, at),
        }
    }

    #[cold]
    fn meet(&mut self, api: &Api, code: Ref, at: usize) -> Whose {
        let whose = self.of_file(&api.text_of(code, &FILE));
        self.near.resize(NEAR, (ptr::null_mut(), Whose::Quiet));
        (api.take)(code);
        let (before, _) = std::mem::replace(&mut self.near[at], (code, whose));
        if !before.is_null() {
            // The last thing that is done here: what hangs on it may be anything.
            (api.drop)(before);
        }
        whose
    }

    fn of_file(&self, file: &[u8]) -> Whose {
        let longest = |folders: &[Vec<u8>]| folders.iter().filter(|one| under(one, file)).map(Vec::len).max();
        let installed = installed(file);
        let packages = [&b"site-packages"[..], b"dist-packages"].iter().any(|part| speaks(part, file));
        let library = longest(&self.library).filter(|_| !packages);
        let own = longest(&self.roots).is_some_and(|root| !installed && library.is_none_or(|library| root > library));
        if own || self.include.iter().any(|rule| speaks(rule, file)) {
            return Whose::Own;
        }
        // Code without a file is made by whoever runs it, but for the interpreter's own.
        let frozen = file.starts_with(b"<frozen ");
        if !frozen && !file.starts_with(b"/") {
            return Whose::Own;
        }
        if frozen || library.is_some() || RUNNER.iter().any(|name| speaks(name, file)) {
            return Whose::Quiet;
        }
        Whose::Foreign
    }
}

/// The callback of `RAISE`: `raised(code, offset, exception)`. It comes by once for each frame on an exception's way.
pub(crate) extern "C" fn raised(_: Ref, arguments: *const Ref, count: isize) -> Ref {
    let Some(api) = api() else { return ptr::null_mut() };
    if let ([code, offset, exception], Some(registry)) = (api.arguments(arguments, count), registry())
        && registry.process_scenario() != 0
    {
        tell(api, *code, *offset, *exception);
    }
    api.nothing()
}

fn tell(api: &Api, code: Ref, offset: Ref, exception: Ref) {
    let kind = kind_of(exception);
    if [api.stop_iteration, api.stop_async_iteration, api.generator_exit].contains(&kind) {
        return;
    }
    let whose = known().whose(api, code);
    let address = exception as usize;
    // Where it began its traceback has one entry; from there on it was told, and is told anew where it comes home.
    if known().last.0 == address {
        let told = if is_new(api, exception) { Whose::Quiet } else { known().last.1 };
        known().last = (address, told);
        if told >= whose {
            return;
        }
    }
    if whose == Whose::Quiet {
        return;
    }
    known().last = (address, whose);
    let Some(registry) = registry() else { return };
    let offset = std::ffi::c_int::try_from(api.number_in(&[offset], 0)).unwrap_or(0);
    let line = u64::try_from((api.line_of)(code, offset)).unwrap_or(0);
    let name = text(registry, name_of_kind(kind));
    let mut words = Vec::new();
    if let Some(arguments) = api.get(exception, &ARGS) {
        api.brief(arguments, 0, &mut words);
        (api.drop)(arguments);
    }
    let arg = message(registry, &words, &api.text_of(code, &FILE), line);
    record(kinds::EXCEPTION, if whose == Whose::Own { INFO } else { DEBUG }, name, arg);
}

/// Whether an exception at an address that was seen before was raised only now.
fn is_new(api: &Api, exception: Ref) -> bool {
    let Some(trace) = api.get(exception, &TRACEBACK) else { return false };
    let new = trace == api.none || {
        let next = api.get(trace, &NEXT);
        let first = next.is_some_and(|next| next == api.none);
        if let Some(next) = next {
            (api.drop)(next);
        }
        first
    };
    (api.drop)(trace);
    new
}

/// `exception(type, message, file, line)`: what the probe learned from a report.
pub(crate) extern "C" fn exception(_: Ref, arguments: *const Ref, count: isize) -> Ref {
    let Some(api) = api() else { return ptr::null_mut() };
    let given = api.arguments(arguments, count);
    if let Some(registry) = registry() {
        let name = text(registry, &api.text_in(given, 0));
        let arg = message(registry, &api.text_in(given, 1), &api.text_in(given, 2), api.number_in(given, 3));
        record(kinds::EXCEPTION, ERROR, name, arg);
    }
    api.nothing()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code__by_its_file__then_the_projects_an_installed_packages_or_nobodys_evidence() {
        let texts = |all: &[&str]| all.iter().map(|text| text.as_bytes().to_vec()).collect::<Vec<_>>();
        let known = Known {
            near: Vec::new(),
            roots: texts(&["/p", "/usr/lib/python3/cpython"]),
            include: texts(&["acme/wire"]),
            library: texts(&["/usr/lib/python3", "/p/.venv/lib/python3"]),
            last: (0, Whose::Quiet),
        };
        for (file, wanted) in [
            ("/p/shop.py", Whose::Own),
            ("/usr/lib/python3/cpython/json.py", Whose::Own),
            ("/x/site-packages/acme/wire/send.py", Whose::Own),
            ("<string>", Whose::Own),
            ("shop.py", Whose::Own),
            ("/x/site-packages/acme/other.py", Whose::Foreign),
            ("/p/.venv/lib/python3/site-packages/urllib3/pool.py", Whose::Foreign),
            ("/usr/lib/python3/site-packages/urllib3/pool.py", Whose::Foreign),
            ("/usr/lib/python3/json/decoder.py", Whose::Quiet),
            ("/p/.venv/lib/python3/inspect.py", Whose::Quiet),
            ("/x/site-packages/_pytest/stash.py", Whose::Quiet),
            ("<frozen os>", Whose::Quiet),
        ] {
            assert_eq!(known.of_file(file.as_bytes()), wanted, "{file}");
        }
        let pytest_itself = Known { roots: texts(&["/p"]), ..known };
        assert_eq!(pytest_itself.of_file(b"/p/src/_pytest/stash.py"), Whose::Own);
    }
}
