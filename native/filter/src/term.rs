//! A filter as it is understood: terms, and how they hang together.

use std::fmt;

/// What a term asks about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// What a record is: enter, log …; of a journal, the event.
    Kind,
    /// How bad it is; these have an order.
    Level,
    /// Function, step, logger, type of an exception …
    Name,
    /// The thread: its name, number, process, or ring.
    Lane,
    /// The scenario's id.
    Scenario,
    /// The suite's name.
    Suite,
    /// The environment.
    Env,
    /// The run.
    Run,
    /// The name, of calls alone.
    Span,
    /// When: from the beginning (`+1.2s`), or nanoseconds.
    Time,
    /// How long a call took.
    Duration,
    /// A number that was recorded.
    Value,
    /// The message.
    Text,
    /// Whether there is such a field.
    Has,
    /// An attribute by its key.
    Attribute(String),
}

/// The fields by their names.
pub(crate) const FIELDS: [(&str, Field); 14] = [
    ("kind", Field::Kind),
    ("level", Field::Level),
    ("name", Field::Name),
    ("lane", Field::Lane),
    ("scenario", Field::Scenario),
    ("suite", Field::Suite),
    ("env", Field::Env),
    ("run", Field::Run),
    ("span", Field::Span),
    ("t", Field::Time),
    ("dur", Field::Duration),
    ("val", Field::Value),
    ("text", Field::Text),
    ("has", Field::Has),
];

/// The beginning of an attribute's name.
pub(crate) const ATTRIBUTE: &str = "attr.";

impl Field {
    /// The field of that name.
    pub fn named(name: &str) -> Option<Self> {
        if let Some(key) = name.strip_prefix(ATTRIBUTE) {
            return (!key.is_empty()).then(|| Self::Attribute(key.to_owned()));
        }
        FIELDS.iter().find(|(known, _)| *known == name).map(|(_, field)| field.clone())
    }

    /// Whether it holds numbers, durations or times.
    pub fn is_number(&self) -> bool {
        matches!(self, Self::Time | Self::Duration | Self::Value)
    }
}

impl fmt::Display for Field {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attribute(key) => write!(out, "{ATTRIBUTE}{key}"),
            _ => out.write_str(FIELDS.iter().find(|(_, field)| field == self).map_or("", |(name, _)| name)),
        }
    }
}

/// How a field is held against a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    /// `:`
    Like,
    /// `=`
    Equal,
    /// `!=`
    Unequal,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    More,
    /// `>=`
    MoreOrEqual,
    /// `~`
    Regex,
}

/// The operators as they are written, the longer ones first.
pub(crate) const OPERATORS: [(&str, Operator); 8] = [
    ("!=", Operator::Unequal),
    ("<=", Operator::LessOrEqual),
    (">=", Operator::MoreOrEqual),
    (":", Operator::Like),
    ("=", Operator::Equal),
    ("<", Operator::Less),
    (">", Operator::More),
    ("~", Operator::Regex),
];

impl fmt::Display for Operator {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(OPERATORS.iter().find(|(_, operator)| operator == self).map_or("", |(text, _)| text))
    }
}

/// What a value must be.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Test {
    /// One of these, each with `*` and `?` for any text and any character; letters of either case.
    Globs(Vec<String>),
    /// Exactly this.
    Exactly(String),
    /// A regular expression that is found in it.
    Regex(String),
    /// Holds this somewhere, in letters of either case.
    Holds(String),
    /// A number between these, both included.
    Between(i128, i128),
    /// A time between these, both included, counted from the beginning.
    Since(i128, i128),
    /// A time between these, both included, counted from a failure.
    Failure(i128, i128),
}

/// One question about one field.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Term {
    /// The field; nothing for a bare word.
    pub field: Option<Field>,
    /// What its value must be.
    pub test: Test,
    /// Whether it must be anything else (`!=`), or be missing.
    pub unequal: bool,
    /// The term as it was written, without what negates it.
    pub written: String,
}

/// A filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// All of these hold; of none, everything.
    All(Vec<Self>),
    /// One of these holds.
    Any(Vec<Self>),
    /// This does not hold.
    Not(Box<Self>),
    /// This holds.
    Term(Term),
}

impl fmt::Display for Filter {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |out: &mut fmt::Formatter<'_>, parts: &[Self], between: &str| {
            for (at, part) in parts.iter().enumerate() {
                out.write_str(if at == 0 { "" } else { between })?;
                match part {
                    // What stands together binds closer than `or`.
                    Self::All(inside) if between != " " && !inside.is_empty() => write!(out, "{part}")?,
                    Self::All(_) | Self::Any(_) => write!(out, "({part})")?,
                    _ => write!(out, "{part}")?,
                }
            }
            Ok(())
        };
        match self {
            Self::All(parts) => joined(out, parts, " "),
            Self::Any(parts) => joined(out, parts, " or "),
            Self::Not(part) => match &**part {
                Self::All(_) | Self::Any(_) => write!(out, "not ({part})"),
                _ => write!(out, "not {part}"),
            },
            Self::Term(term) => out.write_str(&term.written),
        }
    }
}
