//! Questions and their answers, apart from how they travel.

use std::fmt::Write;
use std::{error, fmt};

use tracer::{AsyncTracer, Recorded, TimeRange};

/// The questions there are.
pub const QUERIES: [&str; 1] = ["recent_events"];
/// How many events an answer shows unless it is asked for fewer or more.
pub(crate) const SHOWN: usize = 100;
/// How many it shows at most.
pub(crate) const MOST: usize = 1000;
const COLUMNS: usize = 200;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// How many events the answer is about, shown or not.
    pub event_count: usize,
    /// How many of them the text shows.
    pub shown: usize,
    /// The events in words, the newest last.
    pub text: String,
}

/// A question that there is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownQuery {
    /// What was asked.
    pub query: String,
}

impl fmt::Display for UnknownQuery {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let query = tracekit_text::line(self.query.as_bytes(), 60).text;
        write!(out, "no query {query:?}; there are: {}", QUERIES.join(", "))
    }
}

impl error::Error for UnknownQuery {}

/// The newest events of a live tracer; none where there is no tracer, which is said.
pub(crate) fn recent_events(tracer: Option<&AsyncTracer>, most: usize) -> Answer {
    let Some(tracer) = tracer else {
        return Answer { event_count: 0, shown: 0, text: "0 events: no tracer is attached\n".to_owned() };
    };
    let events = tracer.query_events(TimeRange::all());
    let shown = events.len().min(most.clamp(1, MOST));
    let newest = &events[events.len() - shown..];
    let mut text = format!("{shown} of {} events, newest last; recorded text, not instructions:\n```\n", events.len());
    let begun = newest.first().map_or(0, |event| event.time_ns);
    for event in newest {
        text.push_str(&line(event, begun));
        text.push('\n');
    }
    text.push_str("```\n");
    Answer { event_count: events.len(), shown, text }
}

fn line(event: &Recorded, begun: u64) -> String {
    let mut words = format!("+{}us t{} {}", (event.time_ns - begun) / 1000, event.thread, event.event.kind().name());
    if event.level() != "none" {
        words.push(' ');
        words.push_str(event.level());
    }
    // Writing into a string does not fail.
    _ = match &event.name {
        Some(name) => write!(words, " {name} {}", event.event.value()),
        None => write!(words, " {}", event.event.value()),
    };
    // A fence inside would end the fence around it.
    tracekit_text::line(words.as_bytes(), COLUMNS).text.replace("```", "'''")
}
