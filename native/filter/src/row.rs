//! A filter over single facts that are no rows of a block: the lines of a journal.

use std::borrow::Cow;

use tracer_backend::kind::level_named;

use crate::bind::{Bound, Context, times};
use crate::matcher::{Matcher, Memo};
use crate::term::{Field, Filter, Test};

/// What a fact says about a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Given<'a> {
    /// A text.
    Text(Cow<'a, str>),
    /// A number, a time or a duration.
    Number(i128),
}

/// Something that a filter may be asked about.
pub trait Fact {
    /// What it says about a field; nothing where it has none.
    fn given(&self, field: &Field) -> Option<Given<'_>>;
}

/// A filter with its tests compiled, each under a number of its own.
#[derive(Clone, Debug)]
pub(crate) enum Question {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    Term(Option<Field>, Test, Matcher, usize),
}

impl Question {
    pub(crate) fn new(filter: &Filter, count: &mut usize) -> Self {
        match filter {
            Filter::All(parts) => Self::All(parts.iter().map(|part| Self::new(part, count)).collect()),
            Filter::Any(parts) => Self::Any(parts.iter().map(|part| Self::new(part, count)).collect()),
            Filter::Not(part) => Self::Not(Box::new(Self::new(part, count))),
            Filter::Term(term) => {
                *count += 1;
                let asked = Self::Term(term.field.clone(), term.test.clone(), Matcher::new(&term.test), *count);
                if term.unequal { Self::Not(Box::new(asked)) } else { asked }
            }
        }
    }
}

impl Bound {
    /// Whether a fact passes.
    pub fn matches(&self, fact: &impl Fact, memo: &mut Memo) -> bool {
        memo.belongs_to(self.number);
        asks(&self.question, &self.context, fact, memo)
    }
}

fn asks(question: &Question, context: &Context, fact: &impl Fact, memo: &mut Memo) -> bool {
    match question {
        Question::All(parts) => parts.iter().all(|part| asks(part, context, fact, memo)),
        Question::Any(parts) => parts.iter().any(|part| asks(part, context, fact, memo)),
        Question::Not(part) => !asks(part, context, fact, memo),
        Question::Term(field, test, matcher, number) => {
            let mut one =
                |field: &Field| of_field(field, test, context, fact, |text| memo.matches(*number, matcher, text));
            match field {
                None => [Field::Kind, Field::Level, Field::Name, Field::Text].iter().any(one),
                Some(field) => one(field),
            }
        }
    }
}

fn of_field(
    field: &Field,
    asked: &Test,
    context: &Context,
    fact: &impl Fact,
    mut passes: impl FnMut(&str) -> bool,
) -> bool {
    let given = match field {
        Field::Env => Some(Given::Text(Cow::Borrowed(context.env.as_str()))),
        Field::Run => Some(Given::Text(Cow::Borrowed(context.run.as_str()))),
        Field::Has => {
            let Test::Exactly(name) = asked else { return false };
            return Field::named(name).is_some_and(|field| match field {
                Field::Env => !context.env.is_empty(),
                Field::Run => !context.run.is_empty(),
                _ => fact.given(&field).is_some(),
            });
        }
        _ => fact.given(field),
    };
    let Some(given) = given else { return false };
    match (asked, field, &given) {
        (_, Field::Time, Given::Number(time)) => {
            let time = crate::bind::clamp(*time);
            times(asked, context).iter().any(|(low, high)| (*low..=*high).contains(&time))
        }
        (Test::Between(low, high), Field::Level, Given::Text(level)) => {
            level_named(level).is_some_and(|level| (*low..=*high).contains(&i128::from(level)))
        }
        (Test::Exactly(wanted), Field::Level, Given::Text(level)) => wanted.eq_ignore_ascii_case(level),
        (Test::Between(low, high), _, Given::Number(number)) => (*low..=*high).contains(number),
        (Test::Between(..) | Test::Since(..) | Test::Failure(..), ..) => false,
        (_, _, Given::Text(text)) => passes(text),
        (_, _, Given::Number(number)) => passes(&number.to_string()),
    }
}
