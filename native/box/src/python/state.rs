//! What a process records into: one registry, opened once, found by every event source.

use std::sync::OnceLock;

use tracer_backend::{Home, Kind, Record, Registry, Tag, payload};

static REGISTRY: OnceLock<Registry> = OnceLock::new();

/// The most bytes of one text that a source takes over.
pub(crate) const MOST_TEXT: usize = 16 << 10;

/// The registry, once it is open.
#[inline]
pub(crate) fn registry() -> Option<&'static Registry> {
    REGISTRY.get()
}

/// Keeps the registry that was opened; the first one stays.
pub(crate) fn keep(registry: Registry) -> bool {
    REGISTRY.set(registry).is_ok()
}

/// Records at once; what cannot be recorded is counted there.
pub(crate) fn record(kind: Kind, flags: u8, id: u32, arg: u32) {
    if let Some(registry) = registry() {
        let record = Record { kind: kind.0, flags, id, arg, ..Record::default() };
        drop(registry.record(kind.home(), record));
    }
}

/// The number of a text, cut to what is sensible.
pub(crate) fn text(registry: &Registry, text: &[u8]) -> u32 {
    registry.string(Tag::Text, cut(text))
}

/// The number of a message with its place.
pub(crate) fn message(registry: &Registry, text: &[u8], file: &[u8], line: u64) -> u32 {
    let mut body = Vec::with_capacity(text.len() + file.len() + 40);
    payload::put(&mut body, "text", cut(text));
    if !file.is_empty() {
        payload::put(&mut body, "file", cut(file));
        payload::put_number(&mut body, "line", line);
    }
    registry.string(Tag::Payload, &body)
}

fn cut(text: &[u8]) -> &[u8] {
    if text.len() <= MOST_TEXT {
        return text;
    }
    let mut end = MOST_TEXT;
    while end > MOST_TEXT - 4 && text[end] & 0xc0 == 0x80 {
        end -= 1;
    }
    &text[..end]
}

/// Whether a kind is one that goes through the ring of calls.
pub(crate) fn is_call(kind: Kind) -> bool {
    kind.home() == Home::Calls
}
