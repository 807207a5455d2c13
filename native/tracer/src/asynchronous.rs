//! The tracer for tasks: what a task records belongs to the scenario it carries, whichever thread runs it.

use tracer_backend::{Problem, Reason, Registry, Result, Settings, kinds};

use crate::event::{Event, Name, Recorded, TimeRange};
use crate::tracer::Tracer;

/// A handle for tasks; copies are the same tracer. It can always be made: where there is not even memory for it, it
/// records nothing and says so at each event.
#[derive(Clone, Debug)]
pub struct AsyncTracer {
    tracer: Option<Tracer>,
    scenario: u32,
}

impl Default for AsyncTracer {
    fn default() -> Self {
        Self::new()
    }
}

impl From<Tracer> for AsyncTracer {
    fn from(tracer: Tracer) -> Self {
        Self { tracer: Some(tracer), scenario: 0 }
    }
}

impl AsyncTracer {
    /// A tracer in the folder that `TRACEKIT_RINGS` names, else, or where that cannot be written, in memory.
    pub fn new() -> Self {
        let registry = Registry::new().or_else(|_| Registry::in_memory(Settings::default()));
        Self { tracer: registry.ok().map(Tracer::with_backend), scenario: 0 }
    }

    /// The same tracer for what belongs to a scenario.
    #[must_use]
    pub fn in_scenario(&self, scenario: &str) -> Self {
        let number = self.tracer.as_ref().map_or(0, |tracer| tracer.backend().text(scenario));
        Self { tracer: self.tracer.clone(), scenario: number }
    }

    /// Numbers a text. Do it once for a name and keep the result.
    pub fn name(&self, text: &str) -> Name {
        Name(self.tracer.as_ref().map_or(0, |tracer| tracer.backend().text(text)))
    }

    /// Records an event. There is nothing to wait for, so it is done when this is first polled.
    ///
    /// # Errors
    /// It could not be recorded, and was counted with its reason.
    #[allow(clippy::unused_async)] // tasks await it; a remote recorder would have to be awaited
    pub async fn record_async(&self, event: Event) -> Result<()> {
        self.record_event(event)
    }

    /// Records an event, at once.
    ///
    /// # Errors
    /// As `record_async`.
    pub fn record_event(&self, mut event: Event) -> Result<()> {
        let Some(tracer) = &self.tracer else { return Err(Problem::Dropped(Reason::ProcessBudget)) };
        event.record.scenario = self.scenario;
        tracer.record_event(event)
    }

    /// Says which task runs on this thread from here on.
    ///
    /// # Errors
    /// As `record_async`.
    pub fn task(&self, name: Name, number: u32) -> Result<()> {
        self.record_event(Event::of(kinds::TASK, name.0, number))
    }

    /// The events that are in the rings now, oldest first.
    pub fn query_events(&self, range: TimeRange) -> Vec<Recorded> {
        self.tracer.as_ref().map_or_else(Vec::new, |tracer| tracer.query_events(range))
    }

    /// The tracer for code that is no task.
    pub fn tracer(&self) -> Option<&Tracer> {
        self.tracer.as_ref()
    }

    /// Takes no more events. Any number of times.
    ///
    /// # Errors
    /// As of `Tracer::shutdown`.
    #[allow(clippy::unused_async)] // as `record_async`
    pub async fn shutdown(&self) -> Result<()> {
        self.tracer.as_ref().map_or(Ok(()), Tracer::shutdown)
    }
}
