//! From text to a filter, by descent. Bounded in length and depth, so that nothing typed can exhaust anything.

use tracer_backend::kind::level_named;

use crate::fault::{Fault, nearest};
use crate::lexer::{Piece, Token, tokens, unquoted};
use crate::matcher::{REGEX_BYTES, cost_of_regex};
use crate::spoken;
use crate::term::{ATTRIBUTE, FIELDS, Field, Filter, OPERATORS, Operator, Term, Test};
use crate::value::{ends, plain_or_unit, with_unit};

/// The longest filter.
pub const MAX_BYTES: usize = 4096;
/// The deepest.
pub const MAX_DEPTH: usize = 64;
const FAIL: &str = "@fail";

/// Understands a filter. An empty one lets everything through.
///
/// # Errors
/// It cannot be understood, and where.
pub fn parse(input: &str) -> Result<Filter, Fault> {
    if input.len() > MAX_BYTES {
        let message = format!("the filter has {} bytes, of {MAX_BYTES} at most; ask for less at once", input.len());
        return Err(Fault::new("", 0, 0, message));
    }
    let mut parser = Parser { input, tokens: tokens(input)?, at: 0, depth: 0, regexes: 0 };
    let filter = parser.any()?;
    match parser.next() {
        None => Ok(filter),
        Some(token) => Err(parser.fault(token, "no parenthesis is open here")),
    }
}

struct Parser<'a> {
    input: &'a str,
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    /// What the regular expressions so far take.
    regexes: usize,
}

impl<'a> Parser<'a> {
    fn next(&self) -> Option<Token> {
        self.tokens.get(self.at).copied()
    }

    fn text(&self, token: Token) -> &'a str {
        self.input.get(token.start..token.end).unwrap_or_default()
    }

    fn is_word(&self, word: &str) -> bool {
        self.next().is_some_and(|token| token.piece == Piece::Word && self.text(token).eq_ignore_ascii_case(word))
    }

    fn fault(&self, token: Token, message: impl Into<String>) -> Fault {
        Fault::new(self.input, token.start, token.end - token.start, message)
    }

    fn any(&mut self) -> Result<Filter, Fault> {
        let mut parts = vec![self.all()?];
        while self.is_word("or") {
            let or = self.tokens[self.at];
            if matches!(parts.last(), Some(Filter::All(empty)) if empty.is_empty()) {
                return Err(self.fault(or, "something must stand on both sides of `or`"));
            }
            self.at += 1;
            let part = self.all()?;
            if matches!(&part, Filter::All(empty) if empty.is_empty()) {
                return Err(self.fault(or, "something must stand on both sides of `or`"));
            }
            parts.push(part);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::Any(parts) })
    }

    fn all(&mut self) -> Result<Filter, Fault> {
        let mut parts = Vec::new();
        while let Some(token) = self.next() {
            if token.piece == Piece::Close || self.is_word("or") {
                break;
            }
            if self.is_word("and") {
                self.at += 1;
                let ends = self.next().is_none_or(|next| next.piece == Piece::Close);
                if parts.is_empty() || ends || self.is_word("and") || self.is_word("or") {
                    return Err(self.fault(token, "something must stand on both sides of `and`"));
                }
                continue;
            }
            parts.push(self.part()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::All(parts) })
    }

    fn part(&mut self) -> Result<Filter, Fault> {
        let Some(token) = self.next() else {
            let end = Token { piece: Piece::Word, start: self.input.len(), end: self.input.len() };
            return Err(self.fault(end, "something must follow here"));
        };
        if self.depth >= MAX_DEPTH {
            return Err(self.fault(token, format!("deeper than {MAX_DEPTH} levels")));
        }
        self.depth += 1;
        let part = self.part_of(token);
        self.depth -= 1;
        part
    }

    fn part_of(&mut self, token: Token) -> Result<Filter, Fault> {
        let negates = token.piece == Piece::Minus || self.is_word("not");
        self.at += 1;
        if negates {
            return Ok(Filter::Not(Box::new(self.part()?)));
        }
        match token.piece {
            Piece::Open => {
                let inside = self.any()?;
                match self.next() {
                    Some(close) if close.piece == Piece::Close => {
                        self.at += 1;
                        Ok(inside)
                    }
                    _ => Err(self.fault(token, "this parenthesis is not closed")),
                }
            }
            Piece::Close => Err(self.fault(token, "no parenthesis is open here")),
            Piece::Word | Piece::Minus => self.term(token).map(spoken::meant),
        }
    }

    fn term(&mut self, token: Token) -> Result<Term, Fault> {
        let word = self.text(token);
        let written = word.to_owned();
        if word.starts_with('@') {
            return Ok(Term { field: Some(Field::Time), test: self.moment(token)?, unequal: false, written });
        }
        let name_ends = word.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_' && letter != '.');
        let (name, rest) = word.split_at(name_ends.unwrap_or(word.len()));
        if let Some(denied) = rest.strip_prefix('!').filter(|denied| name.is_empty() && names_field(denied)) {
            return Err(self.fault(token, format!("what must not hold is written not {denied}, or -{denied}")));
        }
        let operator = OPERATORS.iter().find(|(text, _)| rest.starts_with(text));
        let Some((text, operator)) = operator.filter(|_| !name.is_empty()) else {
            let (bare, quoted) = unquoted(word);
            let pattern = !quoted && bare.contains(['*', '?']);
            let test = if pattern { Test::Globs(vec![bare]) } else { Test::Holds(bare) };
            return Ok(Term { field: None, test, unequal: false, written });
        };
        let here = Token { end: token.start + name.len(), ..token };
        // An attribute's key may have hyphens; its name ends at the operator all the same.
        let field = Field::named(name).ok_or_else(|| self.fault(here, unknown(name)))?;
        let value = Token { start: token.start + name.len() + text.len(), ..token };
        if value.start == value.end {
            return Err(self.fault(token, format!("{name}{text} needs a value")));
        }
        let unequal = *operator == Operator::Unequal;
        Ok(Term { test: self.test(&field, *operator, value)?, field: Some(field), unequal, written })
    }

    fn moment(&self, token: Token) -> Result<Test, Fault> {
        let word = self.text(token);
        let inside = match word.strip_prefix(FAIL) {
            Some("") => return Ok(Test::Failure(0, 0)),
            Some(rest) => rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')),
            None => None,
        };
        let range = inside.and_then(ends).and_then(|(from, to)| {
            let (from, to) = (plain_or_unit(from.trim())?, plain_or_unit(to.trim())?);
            (from.value <= to.value).then_some(Test::Failure(from.value, to.value))
        });
        range.ok_or_else(|| self.fault(token, "moments are written @fail or @fail(-50ms..+10ms)"))
    }

    fn test(&mut self, field: &Field, operator: Operator, value: Token) -> Result<Test, Fault> {
        let text = self.text(value);
        if operator == Operator::Regex {
            let (pattern, _) = unquoted(text);
            if field.is_number() || *field == Field::Has {
                return Err(self.fault(value, format!("{field} is no text; compare it with = < > or a range")));
            }
            let cost = cost_of_regex(&pattern);
            let wrong = |cause| self.fault(value, format!("not a regular expression: {cause}"));
            self.regexes = self.regexes.saturating_add(cost.map_err(wrong)?);
            if self.regexes > REGEX_BYTES {
                return Err(
                    self.fault(value, "too many groups or repetitions for the regular expressions of one filter")
                );
            }
            return Ok(Test::Regex(pattern));
        }
        if field.is_number() {
            return self.numbers(field, operator, value);
        }
        let (plain, quoted) = unquoted(text);
        match (operator, field) {
            (Operator::Like, Field::Has) => {
                Field::named(&plain).ok_or_else(|| self.fault(value, unknown(&plain)))?;
                Ok(Test::Exactly(plain))
            }
            (_, Field::Has) => Err(self.fault(value, "write has: and a field")),
            (Operator::Like, _) => {
                let inside = text.strip_prefix('(').and_then(|text| text.strip_suffix(')')).unwrap_or(text);
                let parts = if quoted && !text.starts_with('(') { vec![plain] } else { list(inside) };
                if let (Field::Level, Some(wrong)) = (field, parts.iter().find(|part| !known_level(part))) {
                    return Err(self.fault(value, unknown_level(wrong)));
                }
                Ok(Test::Globs(parts))
            }
            (Operator::Equal | Operator::Unequal, Field::Level) if !known_level(&plain) => {
                Err(self.fault(value, unknown_level(&plain)))
            }
            (Operator::Equal | Operator::Unequal, _) => Ok(Test::Exactly(plain)),
            (_, Field::Level) => {
                let level = level_named(&plain).ok_or_else(|| self.fault(value, unknown_level(&plain)))?;
                Ok(between(operator, level.into()))
            }
            _ => Err(self.fault(value, format!("{field} has no order; use : = != or ~"))),
        }
    }

    fn numbers(&self, field: &Field, operator: Operator, value: Token) -> Result<Test, Fault> {
        let text = self.text(value);
        if *field == Field::Time && operator == Operator::Like && text.starts_with('@') {
            return self.moment(value);
        }
        let wrong = || {
            let example = if *field == Field::Value { "3, 1..5, 0xff" } else { "10ms, 1ms..5ms, +1.2s" };
            self.fault(value, format!("{field} is a number, such as {example}"))
        };
        let mut relative = false;
        let mut read = |text: &str| {
            let number = plain_or_unit(text).ok_or_else(wrong)?;
            // Whoever writes `dur>10` rarely means nanoseconds.
            if *field == Field::Duration && number.value != 0 && !with_unit(text) {
                return Err(self.fault(value, format!("a duration has a unit, such as {}ms or {0}us", text.trim())));
            }
            relative |= number.relative;
            Ok(number.value)
        };
        let (low, high) = match (operator, ends(text)) {
            (Operator::Like, Some((from, to))) if !from.is_empty() || !to.is_empty() => {
                let low = if from.is_empty() { i128::MIN } else { read(from)? };
                (low, if to.is_empty() { i128::MAX } else { read(to)? })
            }
            _ => match between(operator, read(text)?) {
                Test::Between(low, high) => (low, high),
                _ => return Err(wrong()),
            },
        };
        if low > high {
            return Err(self.fault(value, "the range ends before it begins"));
        }
        Ok(if relative && *field == Field::Time { Test::Since(low, high) } else { Test::Between(low, high) })
    }
}

fn between(operator: Operator, value: i128) -> Test {
    match operator {
        Operator::Less => Test::Between(i128::MIN, value - 1),
        Operator::LessOrEqual => Test::Between(i128::MIN, value),
        Operator::More => Test::Between(value + 1, i128::MAX),
        Operator::MoreOrEqual => Test::Between(value, i128::MAX),
        _ => Test::Between(value, value),
    }
}

/// The parts of a list; commas inside quotes do not part it.
fn list(text: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let (mut start, mut inside, mut escaped) = (0, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if inside => escaped = true,
            b'"' => inside = !inside,
            b',' if !inside => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts.into_iter().map(|part| unquoted(part.trim()).0).filter(|part| !part.is_empty()).collect()
}

fn known_level(level: &str) -> bool {
    level.contains(['*', '?']) || level_named(&level.to_ascii_lowercase()).is_some()
}

fn unknown_level(level: &str) -> String {
    let levels = tracer_backend::kinds::LEVELS;
    match nearest(level, levels.into_iter()) {
        Some(near) => format!("no level {level}; did you mean {near}?"),
        None => format!("no level {level}; there are {}", levels.join(", ")),
    }
}

/// Whether a word is a term about a field.
fn names_field(word: &str) -> bool {
    let ends = word.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_' && letter != '.');
    ends.is_some_and(|at| {
        Field::named(&word[..at]).is_some() && OPERATORS.iter().any(|(text, _)| word[at..].starts_with(text))
    })
}

fn unknown(name: &str) -> String {
    let known = FIELDS.iter().map(|(known, _)| *known);
    match nearest(name, known.chain(["attr"])) {
        // What tells processes and threads apart is in the description of their lane.
        _ if matches!(name, "pid" | "tid" | "thread" | "process") => {
            format!("no field {name}; lane:WORD finds a process or a thread by its number or name")
        }
        Some("attr") => format!("no field {name}; attributes are written {ATTRIBUTE}KEY"),
        Some(near) => format!("no field {name}; did you mean {near}?"),
        None => format!("no field {name}; put it in quotes if it is text to look for"),
    }
}
