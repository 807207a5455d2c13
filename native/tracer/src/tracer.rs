//! The tracer: the face of a registry for programs in Rust.

use std::collections::HashMap;
use std::str;
use std::sync::Arc;

use tracer_backend::clock::monotonic_ns;
use tracer_backend::kind::Meaning;
use tracer_backend::{REASONS, Registry, Result, Settings, kinds};

use crate::event::{Event, Name, Recorded, TimeRange};

/// A handle on a registry; copies are the same tracer.
#[derive(Clone, Debug)]
pub struct Tracer {
    registry: Registry,
}

impl Tracer {
    /// A tracer in the folder that `TRACEKIT_RINGS` names, else in memory.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn new() -> Result<Self> {
        Registry::new().map(Self::with_backend)
    }

    /// A tracer in memory, with other sizes.
    ///
    /// # Errors
    /// The system gives no memory.
    pub fn with_settings(settings: Settings) -> Result<Self> {
        Registry::in_memory(settings).map(Self::with_backend)
    }

    /// A tracer over a registry.
    pub fn with_backend(registry: Registry) -> Self {
        Self { registry }
    }

    /// The registry under it.
    pub fn backend(&self) -> &Registry {
        &self.registry
    }

    /// Makes the rings for a thread that the program knows by this number, ahead of its first event, and lets the
    /// calling thread write into them unless another one does. A thread that never asks is registered by its first
    /// event.
    ///
    /// # Errors
    /// There is no room for another ring, or the tracer was shut down.
    pub fn register_thread(&self, number: u64) -> Result<()> {
        self.registry.register_thread(number)
    }

    /// Numbers a text. Do it once for a name and keep the result.
    pub fn name(&self, text: &str) -> Name {
        Name(self.registry.text(text))
    }

    /// Records an event, at once.
    ///
    /// # Errors
    /// It could not be recorded, and was counted with its reason; a program has nothing to do about it.
    #[inline]
    pub fn record_event(&self, event: Event) -> Result<()> {
        self.registry.record(event.home, event.record)
    }

    /// From here on, what this thread records belongs to a scenario.
    ///
    /// # Errors
    /// As for an event.
    pub fn start_scenario(&self, scenario: &str, attempt: u32) -> Result<()> {
        let number = self.registry.text(scenario);
        self.registry.set_scenario(number)?;
        self.record_event(Event::of(kinds::SCENARIO_START, number, attempt))
    }

    /// From here on, what this thread records belongs to no scenario.
    ///
    /// # Errors
    /// As for an event.
    pub fn end_scenario(&self, scenario: &str, verdict: &str) -> Result<()> {
        let event = Event::of(kinds::SCENARIO_END, self.registry.text(scenario), self.registry.text(verdict));
        let told = self.record_event(event);
        self.registry.set_scenario(0)?;
        told
    }

    /// Records that something began, and its end when the result goes out of scope.
    pub fn span(&self, name: Name) -> Span<'_> {
        drop(self.record_event(Event::of(kinds::ENTER, name.0, 0)));
        Span { tracer: self, name }
    }

    /// The events that are in the rings now, oldest first.
    pub fn query_events(&self, range: TimeRange) -> Vec<Recorded> {
        let scale = self.registry.scale();
        let mut texts: HashMap<u32, Option<Arc<str>>> = HashMap::new();
        let mut found = Vec::new();
        for lane in self.registry.lanes() {
            for (sequence, record) in lane.records {
                let time_ns = scale.ns(record.time);
                let event = Event { home: lane.home, record };
                if !range.holds(time_ns) {
                    continue;
                }
                let named = event.kind().facts().is_some_and(|facts| facts.id == Meaning::Text);
                let name = if named {
                    texts.entry(record.id).or_insert_with(|| self.text_of(record.id)).clone()
                } else {
                    None
                };
                let (thread, label) = (lane.writer.tid, lane.writer.label);
                let scenario = record.scenario;
                found.push(Recorded { event, name, time_ns, thread, scenario, label, sequence });
            }
        }
        found.sort_by_key(|event| event.time_ns);
        found
    }

    fn text_of(&self, number: u32) -> Option<Arc<str>> {
        let (_, body) = self.registry.string_of(number)?;
        Some(str::from_utf8(&body).map_or_else(|_| String::from_utf8_lossy(&body).into(), Arc::from))
    }

    /// How many events could not be recorded, by reason.
    pub fn dropped(&self) -> [u64; REASONS] {
        self.registry.drops()
    }

    /// The moment now, on the clock of `TimeRange`.
    pub fn now() -> u64 {
        monotonic_ns()
    }

    /// Takes no more events. What was recorded can still be asked for, here and, where the rings are files, by
    /// whoever drains them. Any number of times.
    ///
    /// # Errors
    /// What was to be written could not be written.
    pub fn shutdown(&self) -> Result<()> {
        self.registry.close();
        Ok(())
    }
}

/// Something that has begun and not yet ended.
#[derive(Debug)]
pub struct Span<'a> {
    tracer: &'a Tracer,
    name: Name,
}

impl Drop for Span<'_> {
    fn drop(&mut self) {
        drop(self.tracer.record_event(Event::of(kinds::EXIT, self.name.0, 0)));
    }
}
