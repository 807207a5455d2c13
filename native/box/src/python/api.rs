//! The interpreter that loaded us, found by name: one library for every `CPython` that it is loaded into. Only what is
//! the same in all of them is used: functions by their symbols, and the first two words of an object. Everything in
//! here is called by the interpreter's own threads while they hold its lock.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, Ordering::Relaxed};

/// An object of the interpreter; what lies behind these words is its own affair.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Object {
    references: isize,
    kind: *mut Object,
}

/// A pointer as the interpreter hands them out.
pub(crate) type Ref = *mut Object;
/// A function that Python calls: itself, arguments, and how many.
pub(crate) type Function = extern "C" fn(Ref, *const Ref, isize) -> Ref;

/// The name of an attribute: an object that is made once, for the whole life of the process.
pub(crate) struct Name {
    text: &'static CStr,
    made: AtomicPtr<Object>,
}

impl Name {
    pub(crate) const fn new(text: &'static CStr) -> Self {
        Self { text, made: AtomicPtr::new(ptr::null_mut()) }
    }

    #[inline]
    fn of(&self, api: &Api) -> Ref {
        let made = self.made.load(Relaxed);
        if made.is_null() { self.make(api) } else { made }
    }

    #[cold]
    fn make(&self, api: &Api) -> Ref {
        let made = (api.intern)(self.text.as_ptr());
        self.made.store(made, Relaxed);
        made
    }
}

/// A row in a table of methods.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Method {
    pub(crate) name: *const c_char,
    pub(crate) function: Option<Function>,
    pub(crate) flags: c_int,
    pub(crate) doc: *const c_char,
}

// SAFETY: rows are never written to; their pointers lead to constants.
unsafe impl Sync for Method {}

/// Arguments come as an array.
pub(crate) const FASTCALL: c_int = 0x80;

impl Method {
    pub(crate) const fn new(name: &'static CStr, function: Function) -> Self {
        Self { name: name.as_ptr(), function: Some(function), flags: FASTCALL, doc: ptr::null() }
    }

    pub(crate) const END: Self = Self { name: ptr::null(), function: None, flags: 0, doc: ptr::null() };
}

/// What a module is made from.
#[repr(C)]
pub(crate) struct ModuleDefinition {
    base: [usize; 5],
    name: *const c_char,
    doc: *const c_char,
    size: isize,
    methods: *const Method,
    rest: [usize; 4],
}

impl ModuleDefinition {
    pub(crate) const fn new(name: &'static CStr, methods: &'static [Method]) -> Self {
        let (name, methods) = (name.as_ptr(), methods.as_ptr());
        // One reference, as the interpreter's own macro begins it; the rest is filled in by the interpreter.
        Self { base: [1, 0, 0, 0, 0], name, doc: ptr::null(), size: -1, methods, rest: [0; 4] }
    }
}

fn symbol(name: &CStr) -> Option<*mut c_void> {
    // SAFETY: the name ends with its zero.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!found.is_null()).then_some(found)
}

macro_rules! api {
    ($($field:ident = $symbol:literal ($($arg:ty),*) $(-> $ret:ty)?;)* --- $($object:ident = $name:literal;)* --- $($held:ident = $place:literal;)*) => {
        /// Functions and objects of the interpreter.
        pub(crate) struct Api {
            $(pub(crate) $field: extern "C" fn($($arg),*) $(-> $ret)?,)*
            $(pub(crate) $object: Ref,)*
            $(pub(crate) $held: Ref,)*
        }

        impl Api {
            fn load() -> Result<Self, &'static CStr> {
                Ok(Self {
                    $($field: {
                        let found = symbol($symbol).ok_or($symbol)?;
                        // SAFETY: the function of that name has this signature in every interpreter from 3.9 on.
                        unsafe { std::mem::transmute::<*mut c_void, extern "C" fn($($arg),*) $(-> $ret)?>(found) }
                    },)*
                    $($object: symbol($name).ok_or($name)?.cast(),)*
                    $($held: {
                        let found = symbol($place).ok_or($place)?.cast::<Ref>();
                        // SAFETY: the interpreter's variable of that name holds an object for good.
                        unsafe { *found }
                    },)*
                })
            }
        }
    };
}

api! {
    create_module = c"PyModule_Create2"(*const ModuleDefinition, c_int) -> Ref;
    set_error = c"PyErr_SetString"(Ref, *const c_char);
    clear_error = c"PyErr_Clear"();
    text_bytes = c"PyUnicode_AsUTF8AndSize"(Ref, *mut isize) -> *const c_char;
    encode_text = c"PyUnicode_AsEncodedString"(Ref, *const c_char, *const c_char) -> Ref;
    new_text = c"PyUnicode_DecodeUTF8"(*const c_char, isize, *const c_char) -> Ref;
    format_text = c"PyUnicode_Format"(Ref, Ref) -> Ref;
    bytes_of = c"PyBytes_AsString"(Ref) -> *const c_char;
    bytes_length = c"PyBytes_Size"(Ref) -> isize;
    new_number = c"PyLong_FromUnsignedLongLong"(u64) -> Ref;
    number = c"PyLong_AsUnsignedLongLongMask"(Ref) -> u64;
    signed = c"PyLong_AsLongLong"(Ref) -> i64;
    float = c"PyFloat_AsDouble"(Ref) -> f64;
    error_now = c"PyErr_Occurred"() -> Ref;
    attribute = c"PyObject_GetAttr"(Ref, Ref) -> Ref;
    intern = c"PyUnicode_InternFromString"(*const c_char) -> Ref;
    plain_attribute = c"PyObject_GenericGetAttr"(Ref, Ref) -> Ref;
    item_of = c"PyDict_GetItem"(Ref, Ref) -> Ref;
    this_thread = c"PyThread_get_thread_ident"() -> u64;
    new_method = c"PyDescr_NewMethod"(Ref, *const Method) -> Ref;
    call_object = c"PyObject_CallObject"(Ref, Ref) -> Ref;
    new_tuple = c"PyTuple_New"(isize) -> Ref;
    set_item = c"PyTuple_SetItem"(Ref, isize, Ref) -> c_int;
    tuple_length = c"PyTuple_Size"(Ref) -> isize;
    tuple_item = c"PyTuple_GetItem"(Ref, isize) -> Ref;
    list_length = c"PyList_Size"(Ref) -> isize;
    list_item = c"PyList_GetItem"(Ref, isize) -> Ref;
    new_list = c"PyList_New"(isize) -> Ref;
    append = c"PyList_Append"(Ref, Ref) -> c_int;
    take = c"Py_IncRef"(Ref);
    drop = c"Py_DecRef"(Ref);
    add_audit_hook = c"PySys_AddAuditHook"(AuditHook, *mut c_void) -> c_int;
    line_of = c"PyCode_Addr2Line"(Ref, c_int) -> c_int;
    ---
    none = c"_Py_NoneStruct";
    object_type = c"PyBaseObject_Type";
    text_type = c"PyUnicode_Type";
    bytes_type = c"PyBytes_Type";
    number_type = c"PyLong_Type";
    truth_type = c"PyBool_Type";
    float_type = c"PyFloat_Type";
    tuple_type = c"PyTuple_Type";
    list_type = c"PyList_Type";
    ---
    os_error = c"PyExc_OSError";
    value_error = c"PyExc_ValueError";
    stop_iteration = c"PyExc_StopIteration";
    stop_async_iteration = c"PyExc_StopAsyncIteration";
    generator_exit = c"PyExc_GeneratorExit";
}

/// What the interpreter calls for each of its audit events: name, arguments, and what was given with the hook.
pub(crate) type AuditHook = extern "C" fn(*const c_char, Ref, *mut c_void) -> c_int;

// SAFETY: addresses of the interpreter's own functions and immortal objects.
unsafe impl Send for Api {}
// SAFETY: as above.
unsafe impl Sync for Api {}

/// The interpreter, the same for the whole life of the process; nothing where this is none that we know.
pub(crate) fn api() -> Option<&'static Api> {
    static API: OnceLock<Option<Api>> = OnceLock::new();
    API.get_or_init(|| Api::load().ok()).as_ref()
}

/// A function that only some versions have.
pub(crate) fn optional(name: &CStr) -> Option<*mut c_void> {
    symbol(name)
}

/// The type of an object.
#[inline]
pub(crate) fn kind_of(object: Ref) -> Ref {
    // SAFETY: every object of a standard build begins with these two words.
    unsafe { (*object).kind }
}

/// The name in a type, as its module may qualify it.
pub(crate) fn name_of_kind(kind: Ref) -> &'static [u8] {
    #[repr(C)]
    struct Kind {
        object: Object,
        size: isize,
        name: *const c_char,
    }
    // SAFETY: every type begins with an object, a size and its name, which lives as long as it; it is copied at once.
    let name = unsafe { CStr::from_ptr((*kind.cast::<Kind>()).name) }.to_bytes();
    name.rsplit(|byte| *byte == b'.').next().unwrap_or(name)
}

impl Api {
    /// Nothing to say.
    pub(crate) fn nothing(&self) -> Ref {
        (self.take)(self.none);
        self.none
    }

    /// The arguments of a call.
    #[allow(clippy::unused_self)] // who has no interpreter has no arguments
    pub(crate) fn arguments<'a>(&self, arguments: *const Ref, count: isize) -> &'a [Ref] {
        let count = usize::try_from(count).unwrap_or(0);
        if arguments.is_null() || count == 0 {
            return &[];
        }
        // SAFETY: the interpreter hands over as many as it says, alive during the call.
        unsafe { std::slice::from_raw_parts(arguments, count) }
    }

    /// Fails the call with words; what Python gets back.
    pub(crate) fn fail(&self, kind: Ref, words: &str) -> Ref {
        let words: Vec<u8> = words.bytes().filter(|byte| *byte != 0).chain([0]).collect();
        (self.set_error)(kind, words.as_ptr().cast());
        ptr::null_mut()
    }

    /// The bytes of an exact string or bytes object; nothing of any other: no code of the program is ever run.
    pub(crate) fn bytes(&self, object: Ref) -> Option<Vec<u8>> {
        let kind = kind_of(object);
        if kind == self.bytes_type {
            return Some(self.raw(object));
        }
        if kind != self.text_type {
            return None;
        }
        let mut length = 0;
        let bytes = (self.text_bytes)(object, &raw mut length);
        if !bytes.is_null() {
            // SAFETY: the interpreter keeps them as long as the string.
            let found = unsafe { std::slice::from_raw_parts(bytes.cast::<u8>(), usize::try_from(length).unwrap_or(0)) };
            return Some(found.to_vec());
        }
        // Lone surrogates, as undecodable file names have.
        (self.clear_error)();
        let encoded = (self.encode_text)(object, c"utf-8".as_ptr(), c"backslashreplace".as_ptr());
        if encoded.is_null() {
            (self.clear_error)();
            return None;
        }
        let found = self.raw(encoded);
        (self.drop)(encoded);
        Some(found)
    }

    fn raw(&self, bytes: Ref) -> Vec<u8> {
        self.lent(bytes).to_vec()
    }

    /// What lies in a bytes object, for as long as whoever called holds that.
    pub(crate) fn lent<'a>(&self, bytes: Ref) -> &'a [u8] {
        let (start, length) = ((self.bytes_of)(bytes), usize::try_from((self.bytes_length)(bytes)).unwrap_or(0));
        if start.is_null() || length == 0 {
            return &[];
        }
        // SAFETY: so many bytes lie there, as long as the object lives, and nobody changes them.
        unsafe { std::slice::from_raw_parts(start.cast::<u8>(), length) }
    }

    /// A number argument; 0 for anything else.
    pub(crate) fn number_in(&self, arguments: &[Ref], at: usize) -> u64 {
        match arguments.get(at) {
            Some(object) if kind_of(*object) == self.number_type || kind_of(*object) == self.truth_type => {
                (self.number)(*object)
            }
            _ => 0,
        }
    }

    /// A text argument; empty for anything else.
    pub(crate) fn text_in(&self, arguments: &[Ref], at: usize) -> Vec<u8> {
        arguments.get(at).and_then(|object| self.bytes(*object)).unwrap_or_default()
    }

    /// A list of texts as an argument, without its empty ones; none for anything else.
    pub(crate) fn texts_in(&self, arguments: &[Ref], at: usize) -> Vec<Vec<u8>> {
        let items = arguments.get(at).and_then(|list| self.items(*list)).unwrap_or_default();
        items.into_iter().filter_map(|item| self.bytes(item)).filter(|text| !text.is_empty()).collect()
    }

    /// A new string.
    pub(crate) fn say(&self, text: &str) -> Ref {
        let length = isize::try_from(text.len()).unwrap_or(0);
        (self.new_text)(text.as_ptr().cast(), length, c"replace".as_ptr())
    }

    /// An attribute, which the caller drops; nothing, and no error, where there is none.
    pub(crate) fn get(&self, object: Ref, name: &Name) -> Option<Ref> {
        let name = name.of(self);
        let found = if name.is_null() { name } else { (self.attribute)(object, name) };
        if found.is_null() {
            (self.clear_error)();
            return None;
        }
        Some(found)
    }

    /// The text of an attribute; empty where it is none.
    pub(crate) fn text_of(&self, object: Ref, name: &Name) -> Vec<u8> {
        self.get(object, name).map_or_else(Vec::new, |found| {
            let text = self.bytes(found).unwrap_or_default();
            (self.drop)(found);
            text
        })
    }

    /// The number in an attribute; 0 where it is none.
    pub(crate) fn number_of(&self, object: Ref, name: &Name) -> u64 {
        self.get(object, name).map_or(0, |found| {
            let number = self.number_in(&[found], 0);
            (self.drop)(found);
            number
        })
    }

    /// A list or a tuple as its items, borrowed.
    pub(crate) fn items(&self, object: Ref) -> Option<Vec<Ref>> {
        let kind = kind_of(object);
        let (length, item): (isize, extern "C" fn(Ref, isize) -> Ref) = if kind == self.tuple_type {
            ((self.tuple_length)(object), self.tuple_item)
        } else if kind == self.list_type {
            ((self.list_length)(object), self.list_item)
        } else {
            return None;
        };
        Some((0..length).map(|at| item(object, at)).filter(|item| !item.is_null()).collect())
    }

    /// Calls something with these; null, and an error, when that raises.
    pub(crate) fn call(&self, callable: Ref, arguments: &[Ref]) -> Ref {
        let tuple = (self.new_tuple)(isize::try_from(arguments.len()).unwrap_or(0));
        if tuple.is_null() {
            return tuple;
        }
        for (at, argument) in (0..).zip(arguments) {
            (self.take)(*argument);
            (self.set_item)(tuple, at, *argument);
        }
        let value = (self.call_object)(callable, tuple);
        (self.drop)(tuple);
        value
    }

    /// Words for a value, without running any code of the program: exact built-in values, else the name of the type.
    pub(crate) fn brief(&self, object: Ref, depth: usize, out: &mut Vec<u8>) {
        let kind = kind_of(object);
        if kind == self.text_type || kind == self.bytes_type {
            out.extend_from_slice(&self.bytes(object).unwrap_or_default());
        } else if object == self.none {
            out.extend_from_slice(b"None");
        } else if kind == self.truth_type {
            out.extend_from_slice(if (self.number)(object) == 0 { b"False" } else { b"True" });
        } else if kind == self.number_type {
            let value = (self.signed)(object);
            if value == -1 && !(self.error_now)().is_null() {
                (self.clear_error)();
                out.extend_from_slice(b"<int>");
            } else {
                out.extend_from_slice(value.to_string().as_bytes());
            }
        } else if kind == self.float_type {
            out.extend_from_slice((self.float)(object).to_string().as_bytes());
        } else if let Some(items) = (depth < 3).then(|| self.items(object)).flatten() {
            for (at, item) in items.into_iter().take(32).enumerate() {
                if at > 0 {
                    out.extend_from_slice(b" ");
                }
                self.brief(item, depth + 1, out);
            }
        } else {
            out.push(b'<');
            out.extend_from_slice(name_of_kind(kind));
            out.push(b'>');
        }
    }
}
