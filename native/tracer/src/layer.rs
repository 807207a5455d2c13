//! What programs say through the `tracing` crate, as records: events as lines of a log with their level, spans as calls.
//! Never prints, and never asks anything of the program's own subscriber but the names of spans.

use std::collections::HashMap;
use std::fmt::{self, Write};
use std::sync::{Mutex, TryLockError};

use tracer_backend::{Tag, kinds, payload};
use tracing_core::callsite::Identifier;
use tracing_core::field::{Field, Visit};
use tracing_core::span::{Attributes, Id};
use tracing_core::{Event as Said, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use crate::event::{Event, Name};
use crate::tracer::Tracer;

/// A layer that records into a tracer.
#[derive(Debug)]
pub struct TraceLayer {
    tracer: Tracer,
    names: Mutex<HashMap<Identifier, u32>>,
}

impl TraceLayer {
    /// A layer over a tracer.
    pub fn new(tracer: Tracer) -> Self {
        Self { tracer, names: Mutex::new(HashMap::new()) }
    }

    /// Never waits: a child of a fork may find the names held by a thread that it has not got. A text that is numbered
    /// again has the same number, it only takes longer.
    fn name_of(&self, metadata: &Metadata<'_>, text: &str) -> u32 {
        let number = || self.tracer.backend().text(text);
        match self.names.try_lock() {
            Ok(mut names) => *names.entry(metadata.callsite()).or_insert_with(number),
            Err(TryLockError::Poisoned(names)) => *names.into_inner().entry(metadata.callsite()).or_insert_with(number),
            Err(TryLockError::WouldBlock) => number(),
        }
    }

    fn record(&self, event: Event) {
        // What cannot be recorded is counted; the program has nothing to do about it.
        drop(self.tracer.record_event(event));
    }
}

/// The number of a level in `flags`.
fn level(level: Level) -> u8 {
    match level {
        Level::TRACE => 1,
        Level::DEBUG => 2,
        Level::INFO => 3,
        Level::WARN => 4,
        Level::ERROR => 5,
    }
}

/// The message of an event, and its other fields behind it.
#[derive(Default)]
struct Words {
    message: String,
    fields: String,
}

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing into a string does not fail; what a value's own `Debug` refuses is left out.
        _ = if field.name() == "message" {
            write!(self.message, "{value:?}")
        } else {
            write!(self.fields, " {}={value:?}", field.name())
        };
    }
}

impl Words {
    fn text(mut self) -> String {
        self.message.push_str(&self.fields);
        self.message
    }
}

impl<S> Layer<S> for TraceLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, _id: &Id, _context: Context<'_, S>) {
        self.name_of(attributes.metadata(), attributes.metadata().name());
    }

    fn on_event(&self, said: &Said<'_>, _context: Context<'_, S>) {
        let metadata = said.metadata();
        let mut words = Words::default();
        said.record(&mut words);
        let mut body = Vec::new();
        payload::put(&mut body, "text", words.text().as_bytes());
        if let (Some(file), Some(line)) = (metadata.file(), metadata.line()) {
            payload::put(&mut body, "file", file.as_bytes());
            payload::put_number(&mut body, "line", line.into());
        }
        let logger = Name(self.name_of(metadata, metadata.target()));
        let message = Name(self.tracer.backend().string(Tag::Payload, &body));
        self.record(Event::log(logger, message, level(*metadata.level())));
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let line = span.metadata().line().unwrap_or(0);
            self.record(Event::of(kinds::ENTER, self.name_of(span.metadata(), span.name()), line));
        }
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            self.record(Event::of(kinds::EXIT, self.name_of(span.metadata(), span.name()), 0));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::thread;
    use std::time::Duration;

    use tracer_backend::Settings;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;
    use crate::event::TimeRange;

    const PATIENCE: Duration = Duration::from_secs(120);

    #[test]
    fn layer__whose_names_are_held_for_ever__then_records_all_the_same() {
        let tracer = Tracer::with_settings(Settings::default()).expect("memory");
        let layer = TraceLayer::new(tracer.clone());
        // As a child of a fork finds them.
        std::mem::forget(layer.names.lock());
        let (say, heard) = channel();
        let says = thread::spawn(move || {
            tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
                tracing::info_span!("checkout").in_scope(|| tracing::warn!("sold out"));
            });
            say.send(()).expect("somebody who waits");
        });
        heard.recv_timeout(PATIENCE).expect("the layer waits for its names");
        says.join().expect("no panic");
        let found = tracer.query_events(TimeRange::all());
        let names: Vec<_> = found.iter().map(|event| event.name.as_deref().unwrap_or("-")).collect();
        assert_eq!(names, ["checkout", module_path!(), "checkout"]);
    }
}
