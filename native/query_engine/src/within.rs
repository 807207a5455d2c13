//! What a pane is about, beside what a person typed into it: scenarios, and a stretch of time.

use tracekit_filter::{Bound, Context, Fault, Field, Filter, Term, Test, bind, parse};

/// Rows that a filter is held against at all. The default is every row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Within {
    /// Rows of one of these; none of them is any row.
    pub scenarios: Vec<String>,
    /// Not before.
    pub since: Option<u64>,
    /// Not after.
    pub until: Option<u64>,
}

fn term(field: Field, test: Test) -> Filter {
    Filter::Term(Term { field: Some(field), test, unequal: false, written: String::new() })
}

impl Within {
    fn filters(&self) -> Vec<Filter> {
        let exactly = |scenario: &String| term(Field::Scenario, Test::Exactly(scenario.clone()));
        let mut parts = Vec::new();
        if !self.scenarios.is_empty() {
            parts.push(Filter::Any(self.scenarios.iter().map(exactly).collect()));
        }
        if self.since.is_some() || self.until.is_some() {
            let (low, high) = (self.since.unwrap_or(0), self.until.unwrap_or(u64::MAX));
            parts.push(term(Field::Time, Test::Between(low.into(), high.into())));
        }
        parts
    }

    /// What passes both, made ready; nothing where everything does. Relative times count from the first row where the
    /// context says 0.
    ///
    /// # Errors
    /// What was typed cannot be understood.
    pub(crate) fn bound(
        &self,
        typed: &str,
        context: &Context,
        times: Option<(u64, u64)>,
    ) -> Result<Option<Bound>, Fault> {
        let filter = parse(typed)?;
        let mut parts = self.filters();
        if !typed.trim().is_empty() {
            parts.push(filter);
        }
        let mut context = context.clone();
        if context.begin == 0 {
            context.begin = times.map_or(0, |(first, _)| first);
        }
        let both = if parts.len() > 1 { Some(Filter::All(parts)) } else { parts.pop() };
        Ok(both.map(|filter| bind(&filter, context)))
    }
}
