//! Lines of a journal as facts. What a field of a filter means for each of them is written down here, once.

use std::borrow::Cow;

use serde_json::Value;

use crate::bind::suite_of;
use crate::row::{Fact, Given};
use crate::term::Field;

/// Verdicts that are bad news.
const RED: [&str; 4] = ["failed", "error", "timedout", "crashed"];

/// A line.
#[derive(Clone, Debug)]
pub struct Line(Value);

impl Line {
    /// The line in these bytes; nothing when it is no object.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(bytes).ok()?;
        value.is_object().then_some(Self(value))
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.as_str().filter(|text| !text.is_empty())
    }

    fn first(&self, keys: &[&str]) -> Option<Given<'_>> {
        keys.iter().find_map(|key| self.text(key)).map(|text| Given::Text(Cow::Borrowed(text)))
    }

    /// Of what was raised last.
    fn raised(&self, key: &str) -> Option<Given<'_>> {
        let text = self.0.get("chain")?.get(0)?.get(key)?.as_str().filter(|text| !text.is_empty())?;
        Some(Given::Text(Cow::Borrowed(text)))
    }

    fn level(&self) -> Option<&str> {
        let red = self.text("verdict").is_some_and(|verdict| RED.contains(&verdict));
        match self.text("e")? {
            "failure" | "runner.failed_to_start" | "suite.failed" | "discover.failed" => Some("error"),
            "attempt.stalled" | "launch.stalled" | "warning" | "gap" => Some("warning"),
            _ if red => Some("error"),
            _ => self.text("level"),
        }
    }
}

impl Fact for Line {
    fn given(&self, field: &Field) -> Option<Given<'_>> {
        let number = |key: &str| self.0.get(key)?.as_i64().map(|number| Given::Number(number.into()));
        match field {
            Field::Kind => self.first(&["e"]),
            Field::Level => self.level().map(|level| Given::Text(Cow::Borrowed(level))),
            Field::Name => {
                let raised = self.raised("type");
                raised.or_else(|| self.first(&["name", "logger", "step", "op", "category", "suite"]))
            }
            Field::Span => self.text("step").and_then(|_| self.first(&["name", "step"])),
            Field::Lane => self.first(&["src"]),
            Field::Scenario => self.first(&["scenario"]),
            Field::Suite => {
                let of_id = |id: &'_ str| -> Given<'_> { Given::Text(Cow::Owned(suite_of(id).to_owned())) };
                self.first(&["suite"]).or_else(|| self.text("scenario").map(of_id))
            }
            Field::Text => {
                let raised = self.raised("message");
                raised.or_else(|| self.first(&["message", "text", "reason", "why", "what", "stderr", "verdict"]))
            }
            Field::Time => number("m"),
            Field::Duration => number("d"),
            Field::Value => number("value").or_else(|| number("count")).or_else(|| number("length")),
            Field::Attribute(key) => {
                let found = key.split('.').try_fold(&self.0, |value, key| value.get(key))?;
                match found {
                    Value::String(text) => Some(Given::Text(Cow::Borrowed(text))),
                    Value::Null => None,
                    Value::Number(number) if number.is_i64() => {
                        number.as_i64().map(|number| Given::Number(number.into()))
                    }
                    other => Some(Given::Text(Cow::Owned(other.to_string()))),
                }
            }
            Field::Env | Field::Run | Field::Has => None,
        }
    }
}
