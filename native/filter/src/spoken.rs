//! Kinds by the words that screens use for them: whoever reads `call` there may write `kind:call`. A log's word is its
//! level. Only a whole word after `:` is one of these, never a pattern.

use crate::term::{Field, Filter, Term, Test};

/// What a screen says, and the kind that it stands for.
const KINDS: [(&str, &str); 11] = [
    ("call", "enter"),
    ("return", "exit"),
    ("raised", "unwind"),
    ("begin", "scenario.start"),
    ("end", "scenario.end"),
    ("step", "step.start"),
    ("done", "step.end"),
    ("raise", "exception"),
    ("with", "attribute"),
    ("lost", "gap"),
    ("closed", "lane.end"),
];

/// What a screen says of a log, and its level.
const LEVELS: [(&str, &str); 8] = [
    ("trace", "trace"),
    ("debug", "debug"),
    ("info", "info"),
    ("warn", "warning"),
    ("warning", "warning"),
    ("error", "error"),
    ("fatal", "critical"),
    ("critical", "critical"),
];

fn of(table: &[(&str, &'static str)], word: &str) -> Option<&'static str> {
    table.iter().find(|(known, _)| word.eq_ignore_ascii_case(known)).map(|(_, meant)| *meant)
}

/// What is meant by a term. In quotes a word is a kind and nothing else.
pub(crate) fn meant(mut term: Term) -> Filter {
    let Test::Globs(words) = &mut term.test else { return Filter::Term(term) };
    if term.field != Some(Field::Kind) || term.written.contains('"') {
        return Filter::Term(term);
    }
    let levels: Vec<String> = words.iter().filter_map(|word| of(&LEVELS, word)).map(str::to_owned).collect();
    let kinds: Vec<String> = words.iter().filter_map(|word| of(&KINDS, word)).map(str::to_owned).collect();
    words.extend(kinds);
    if levels.is_empty() {
        return Filter::Term(term);
    }
    // Written so that it is not taken for a level once more.
    let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    term.written = format!("{}:({})", Field::Kind, quoted.join(","));
    let plain = |field: Field, words: Vec<String>| {
        let written = format!("{field}:{}", words.join(","));
        Filter::Term(Term { field: Some(field), test: Test::Globs(words), unequal: false, written })
    };
    let logs = Filter::All(vec![plain(Field::Kind, vec!["log".to_owned()]), plain(Field::Level, levels)]);
    Filter::Any(vec![Filter::Term(term), logs])
}
