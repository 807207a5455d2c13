//! A row of a trace in words: its numbers looked up, a payload taken apart.

use tracer_backend::dictionary::Dictionary;
use tracer_backend::kind::{Meaning, UNPAIRED, level_name};
use tracer_backend::{Kind, Result, Row, Tag, kinds, payload};

/// A row with what its numbers stand for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Nanoseconds of the box's monotonic clock.
    pub time: u64,
    /// Of a call that ended, where its beginning was seen.
    pub duration: Option<u64>,
    /// The name of its kind.
    pub kind: String,
    /// The name of its level.
    pub level: &'static str,
    /// How deep the stack of calls was.
    pub depth: u16,
    /// The number of its lane.
    pub lane: u32,
    /// The process of its lane.
    pub pid: u64,
    /// The thread of its lane, and its name.
    pub tid: u64,
    /// See `tid`.
    pub thread: Vec<u8>,
    /// Its scenario; empty for none.
    pub scenario: Vec<u8>,
    /// What `id` names.
    pub name: Vec<u8>,
    /// What `arg` says, or the text of its payload.
    pub text: Vec<u8>,
    /// A number, where the kind has one.
    pub value: Option<u64>,
    /// Where it happened, if that was told.
    pub file: Vec<u8>,
    /// See `file`; of a call, the first line of the function.
    pub line: u64,
    /// Its place in the lane.
    pub sequence: u64,
}

/// The string of a number; empty for 0 and for one that is not there.
fn string(strings: &mut Dictionary, number: u32) -> Result<(Tag, &[u8])> {
    Ok(strings.get(number)?.unwrap_or((Tag::Text, &[])))
}

fn text(strings: &mut Dictionary, number: u32) -> Result<Vec<u8>> {
    Ok(string(strings, number)?.1.to_vec())
}

impl Told {
    pub(crate) fn new(row: &Row, strings: &mut Dictionary) -> Result<Self> {
        let scenario = text(strings, row.scenario)?;
        let lane = string(strings, row.lane)?.1;
        let kind = Kind(row.kind);
        let mut told = Self {
            time: row.time,
            kind: kind.name().into_owned(),
            level: level_name(row.flags),
            depth: row.depth,
            lane: row.lane,
            pid: payload::number(lane, "pid").unwrap_or(0),
            tid: payload::number(lane, "tid").unwrap_or(0),
            thread: payload::field(lane, "name").unwrap_or_default().to_vec(),
            scenario,
            sequence: row.sequence,
            ..Self::default()
        };
        let ends = [kinds::EXIT, kinds::UNWIND].contains(&kind);
        told.duration = (ends && row.flags & UNPAIRED == 0).then_some(row.duration);
        let meanings = kind.facts().map_or((Meaning::Number, Meaning::Number), |facts| (facts.id, facts.arg));
        match meanings {
            (Meaning::Text, _) => told.name = text(strings, row.id)?,
            (Meaning::Number, Meaning::Number) => {
                told.value = Some(u64::from(row.id) << 32 | u64::from(row.arg));
                return Ok(told);
            }
            _ => {}
        }
        match (kind, meanings.1) {
            (kinds::ENTER, _) => told.line = row.arg.into(),
            (_, Meaning::Number) => told.value = Some(row.arg.into()),
            (_, Meaning::Text) => told.say(string(strings, row.arg)?),
            _ => {}
        }
        Ok(told)
    }

    fn say(&mut self, (tag, body): (Tag, &[u8])) {
        if tag == Tag::Text {
            self.text = body.to_vec();
            return;
        }
        self.text = payload::field(body, "text").unwrap_or_default().to_vec();
        self.file = payload::field(body, "file").unwrap_or_default().to_vec();
        self.line = payload::number(body, "line").unwrap_or(0);
    }
}
