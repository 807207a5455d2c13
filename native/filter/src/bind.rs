//! A filter over one trace: its terms as sets of the numbers that the trace's strings have. The sets grow with the
//! strings; each string meets each test once.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};

use tracer_backend::kind::{Meaning, level_named};
use tracer_backend::{Column, Kind, Tag, kinds, payload};

use crate::matcher::Matcher;
use crate::row::Question;
use crate::term::{Field, Filter, Term, Test};

/// What a filter may ask that no row knows.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// The moment that relative times count from, in nanoseconds.
    pub begin: u64,
    /// The moments of failures.
    pub failures: Vec<u64>,
    /// The environment.
    pub env: String,
    /// The run.
    pub run: String,
}

/// What of a string a test looks at.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    /// A text, as it is.
    Text,
    /// A text, or the `text` of a payload.
    Message,
    /// The name, the numbers and the kind in the description of a lane.
    Lane,
    /// The suite in a scenario's id.
    Suite,
    /// A field of a payload.
    Field(String),
}

/// A set of numbers of strings.
#[derive(Clone, Debug)]
pub(crate) struct Set {
    part: Part,
    /// Without one, whatever has this part belongs to it.
    matcher: Option<Matcher>,
    bits: Vec<u64>,
}

/// A test of rows.
#[derive(Clone, Debug)]
pub(crate) enum Leaf {
    Kinds(u64),
    Levels(u8),
    /// A row of one of these kinds whose column is in the set.
    In(Column, u64, Set),
    /// A row of one of these kinds whose column lies between, both included.
    Between(Column, u64, u64, u64),
    /// A call whose duration is known and lies between.
    Took(u64, u64),
    /// A recorded number between.
    Value(i128, i128),
    Always(bool),
}

/// Tests, and how they hang together.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    Leaf(Leaf),
}

/// A filter that is ready for the rows of a trace and the lines of a journal.
#[derive(Clone, Debug)]
pub struct Bound {
    pub(crate) root: Node,
    pub(crate) question: Question,
    pub(crate) context: Context,
    /// Tells filters apart.
    pub(crate) number: u64,
}

/// Every kind.
const ALL: u64 = u64::MAX;

/// Makes a filter ready. Strings are learned by `Bound::learn`.
pub fn bind(filter: &Filter, context: Context) -> Bound {
    static NUMBERS: AtomicU64 = AtomicU64::new(1);
    let question = Question::new(filter, &mut 0);
    let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
    Bound { root: node(filter, &context), question, context, number }
}

impl Bound {
    /// Learns a string of the trace. Each once, and before blocks that need it.
    pub fn learn(&mut self, number: u32, tag: Tag, body: &[u8]) {
        learn(&mut self.root, number, tag, body);
    }

    /// Whether it asks for what is in payloads; the others need not be learned.
    pub fn asks_payloads(&self) -> bool {
        asks_payloads(&self.root)
    }
}

fn learn(node: &mut Node, number: u32, tag: Tag, body: &[u8]) {
    match node {
        Node::All(parts) | Node::Any(parts) => parts.iter_mut().for_each(|part| learn(part, number, tag, body)),
        Node::Not(part) => learn(part, number, tag, body),
        Node::Leaf(Leaf::In(_, _, set)) => set.learn(number, tag, body),
        Node::Leaf(_) => {}
    }
}

fn asks_payloads(node: &Node) -> bool {
    match node {
        Node::All(parts) | Node::Any(parts) => parts.iter().any(asks_payloads),
        Node::Not(part) => asks_payloads(part),
        Node::Leaf(Leaf::In(_, _, set)) => matches!(set.part, Part::Message | Part::Field(_)),
        Node::Leaf(_) => false,
    }
}

impl Set {
    fn new(part: Part, matcher: Option<Matcher>) -> Self {
        Self { part, matcher, bits: Vec::new() }
    }

    fn learn(&mut self, number: u32, tag: Tag, body: &[u8]) {
        let text = |bytes| Some(String::from_utf8_lossy(bytes));
        let passes = |text: Option<Cow<'_, str>>| {
            text.is_some_and(|text| self.matcher.as_ref().is_none_or(|matcher| matcher.matches(&text)))
        };
        let belongs = match (&self.part, tag) {
            (Part::Text | Part::Message, Tag::Text) => passes(text(body)),
            (Part::Message, Tag::Payload) => passes(payload::field(body, "text").and_then(text)),
            (Part::Field(key), Tag::Payload) => passes(payload::field(body, key).and_then(text)),
            (Part::Lane, Tag::Lane) => ["name", "tid", "pid", "kind", "label"]
                .iter()
                .any(|key| passes(payload::field(body, key).and_then(text))),
            (Part::Suite, Tag::Text) => passes(std::str::from_utf8(body).ok().map(|id| Cow::Borrowed(suite_of(id)))),
            _ => false,
        };
        if belongs {
            let at = usize::try_from(number).unwrap_or(0);
            if self.bits.len() <= at / 64 {
                self.bits.resize(at / 64 + 1, 0);
            }
            self.bits[at / 64] |= 1 << (at % 64);
        }
    }

    #[inline]
    pub(crate) fn has(&self, number: u64) -> bool {
        let word = usize::try_from(number / 64).ok().and_then(|at| self.bits.get(at));
        word.is_some_and(|word| word >> (number % 64) & 1 == 1)
    }

    /// Its numbers, as many as wanted.
    pub(crate) fn first(&self, most: usize) -> Vec<u32> {
        let numbers = (0..self.bits.len() as u64 * 64).filter(|number| self.has(*number));
        numbers.take(most).filter_map(|number| u32::try_from(number).ok()).collect()
    }

    /// Whether it has a number between these, both included.
    pub(crate) fn has_between(&self, low: u32, high: u32) -> bool {
        let most = (self.bits.len() as u64 * 64).saturating_sub(1);
        (u64::from(low)..=u64::from(high).min(most)).any(|number| self.has(number))
    }
}

/// `pytest@api:tests/…` belongs to `api`, `pytest:tests/…` to the suite without a name.
pub(crate) fn suite_of(id: &str) -> &str {
    id.split_once(':').and_then(|(front, _)| front.split_once('@')).map_or("", |(_, suite)| suite)
}

fn kinds_whose(keep: impl Fn(&tracer_backend::kind::Facts) -> bool) -> u64 {
    Kind::all().filter(|facts| keep(facts)).fold(0, |bits, facts| bits | facts.kind.bit())
}

fn named() -> u64 {
    kinds_whose(|facts| facts.id == Meaning::Text)
}

fn told() -> u64 {
    kinds_whose(|facts| facts.arg == Meaning::Text)
}

pub(crate) fn numbered() -> u64 {
    kinds_whose(|facts| facts.arg == Meaning::Number)
}

fn calls() -> u64 {
    kinds::ENTER.bit() | kinds::EXIT.bit() | kinds::UNWIND.bit()
}

fn node(filter: &Filter, context: &Context) -> Node {
    match filter {
        Filter::All(parts) => Node::All(parts.iter().map(|part| node(part, context)).collect()),
        Filter::Any(parts) => Node::Any(parts.iter().map(|part| node(part, context)).collect()),
        Filter::Not(part) => Node::Not(Box::new(node(part, context))),
        Filter::Term(term) if term.unequal => Node::Not(Box::new(of_term(term, context))),
        Filter::Term(term) => of_term(term, context),
    }
}

fn of_term(term: &Term, context: &Context) -> Node {
    let matcher = Matcher::new(&term.test);
    match &term.field {
        None => {
            let fields = [Field::Kind, Field::Level, Field::Name, Field::Text];
            Node::Any(fields.iter().map(|field| of_field(field, &term.test, &matcher, context)).collect())
        }
        Some(field) => of_field(field, &term.test, &matcher, context),
    }
}

fn is_in(column: Column, kinds: u64, part: Part, matcher: &Matcher) -> Node {
    Node::Leaf(Leaf::In(column, kinds, Set::new(part, Some(matcher.clone()))))
}

fn of_field(field: &Field, test: &Test, matcher: &Matcher, context: &Context) -> Node {
    match field {
        Field::Kind => {
            let bits = (0..64).filter(|number| matcher.matches(&Kind(*number).name()));
            Node::Leaf(Leaf::Kinds(bits.fold(0, |bits, number| bits | 1 << number)))
        }
        Field::Level => Node::Leaf(Leaf::Levels(levels(test, matcher))),
        Field::Name => is_in(Column::Id, named(), Part::Text, matcher),
        Field::Span => is_in(Column::Id, calls(), Part::Text, matcher),
        Field::Text => is_in(Column::Arg, told(), Part::Message, matcher),
        Field::Lane => is_in(Column::Lane, ALL, Part::Lane, matcher),
        Field::Scenario => is_in(Column::Scenario, ALL, Part::Text, matcher),
        Field::Suite => is_in(Column::Scenario, ALL, Part::Suite, matcher),
        Field::Env => Node::Leaf(Leaf::Always(matcher.matches(&context.env))),
        Field::Run => Node::Leaf(Leaf::Always(matcher.matches(&context.run))),
        Field::Time => {
            let ranges = times(test, context).into_iter();
            Node::Any(ranges.map(|(low, high)| Node::Leaf(Leaf::Between(Column::Time, ALL, low, high))).collect())
        }
        Field::Duration => match range(test) {
            Some((low, high)) => Node::Leaf(Leaf::Took(low, high)),
            None => Node::Leaf(Leaf::Always(false)),
        },
        Field::Value => match test {
            Test::Between(low, high) => Node::Leaf(Leaf::Value(*low, *high)),
            _ => Node::Leaf(Leaf::Always(false)),
        },
        Field::Has => match test {
            Test::Exactly(name) => {
                Field::named(name).map_or(Node::Leaf(Leaf::Always(false)), |field| has(&field, context))
            }
            _ => Node::Leaf(Leaf::Always(false)),
        },
        Field::Attribute(key) => Node::Any(vec![
            Node::All(vec![
                is_in(Column::Id, kinds::ATTRIBUTE.bit(), Part::Text, &Matcher::Exactly(key.clone())),
                is_in(Column::Arg, kinds::ATTRIBUTE.bit(), Part::Message, matcher),
            ]),
            is_in(Column::Arg, told(), Part::Field(key.clone()), matcher),
        ]),
    }
}

/// Whether there is such a field.
fn has(field: &Field, context: &Context) -> Node {
    let any = |column, kinds| Node::Leaf(Leaf::Between(column, kinds, 1, u64::MAX));
    match field {
        Field::Kind | Field::Time | Field::Lane => Node::Leaf(Leaf::Always(true)),
        Field::Level => Node::Leaf(Leaf::Levels(!1)),
        Field::Name => any(Column::Id, named()),
        Field::Span => any(Column::Id, calls()),
        Field::Text => any(Column::Arg, told()),
        Field::Scenario | Field::Suite => any(Column::Scenario, ALL),
        Field::Env => Node::Leaf(Leaf::Always(!context.env.is_empty())),
        Field::Run => Node::Leaf(Leaf::Always(!context.run.is_empty())),
        Field::Duration => Node::Leaf(Leaf::Took(0, u64::MAX)),
        Field::Value => Node::Leaf(Leaf::Value(i128::MIN, i128::MAX)),
        Field::Has => Node::Leaf(Leaf::Always(false)),
        Field::Attribute(key) => Node::Any(vec![
            is_in(Column::Id, kinds::ATTRIBUTE.bit(), Part::Text, &Matcher::Exactly(key.clone())),
            Node::Leaf(Leaf::In(Column::Arg, told(), Set::new(Part::Field(key.clone()), None))),
        ]),
    }
}

fn levels(test: &Test, matcher: &Matcher) -> u8 {
    let passes = |number: usize, name: &str| match test {
        Test::Between(low, high) => (*low..=*high).contains(&i128::try_from(number).unwrap_or(0)),
        Test::Exactly(wanted) => level_named(&wanted.to_ascii_lowercase()) == u8::try_from(number).ok(),
        _ => matcher.matches(name),
    };
    let numbered = kinds::LEVELS.iter().enumerate();
    numbered.filter(|(number, name)| passes(*number, name)).fold(0, |bits, (number, _)| bits | 1 << number)
}

pub(crate) fn clamp(value: i128) -> u64 {
    u64::try_from(value.clamp(0, i128::from(u64::MAX))).unwrap_or(0)
}

fn range(test: &Test) -> Option<(u64, u64)> {
    match test {
        Test::Between(_, high) if *high < 0 => None,
        Test::Between(low, high) => Some((clamp(*low), clamp(*high))),
        _ => None,
    }
}

/// The stretches of time that a test lets through.
pub(crate) fn times(test: &Test, context: &Context) -> Vec<(u64, u64)> {
    let around = |moment: u64, low: i128, high: i128| {
        let (low, high) = (low.saturating_add(moment.into()), high.saturating_add(moment.into()));
        (high >= 0).then(|| (clamp(low), clamp(high)))
    };
    match test {
        Test::Since(low, high) => around(context.begin, *low, *high).into_iter().collect(),
        Test::Failure(low, high) => context.failures.iter().filter_map(|moment| around(*moment, *low, *high)).collect(),
        _ => range(test).into_iter().collect(),
    }
}
