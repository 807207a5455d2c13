//! P4 for filters: whatever is typed, no panic and no flood of memory, and what is understood can be written out, read
//! again and held against rows. `TRACEKIT_TORTURE_INPUTS` says how many inputs.

use std::process::ExitCode;

use tracekit_filter::{Context, MAX_BYTES, Memo, bind, journal, parse};
use tracekit_torment::{Counting, torment};
use tracer_backend::block::{Place, decode, encode};
use tracer_backend::{Row, Tag};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const CORPUS: [&str; 16] = [
    "error -name:health* dur>10ms",
    "kind:(enter,exit) or level>=warning",
    "not (scenario:*test_pay or suite=api) lane:worker",
    "@fail(-50ms..+10ms) text~\"refused: \\\\d+\"",
    "t:+1.2s..+2s val:0x10..99 has:attr.user attr.user!=ada",
    "name~^(test|check)_[a-z]+$ span:checkout",
    "\"card refused\" and ((a)) -(b or -c)",
    "dur:..5ms t:1ms.. run=01K env:\"stag ing\"",
    "name:a,b,\"c,d\",*e?f level:none,critical",
    "((((((((((((((((((((((((((((((a))))))))))))))))))))))))))))))",
    "not not not not - - -a or b or c",
    "name~((a*)*b)+{2,3} | count",
    "\u{e9}\u{1f980} name:\u{202e}x* text=\"\\\"\\\\\"",
    "val=18446744073709551615 val>-1 dur<99999999999999999999h",
    "durr>1 lvel:eror kind~[",
    "",
];

fn main() -> ExitCode {
    let corpus: Vec<Vec<u8>> = CORPUS.iter().map(|text| text.as_bytes().to_vec()).collect();
    let rows: Vec<Row> = (0..70)
        .map(|n| Row {
            time: u64::from(n),
            kind: u8::try_from(n % 30).unwrap_or(0),
            id: n % 5,
            arg: n % 7,
            ..Row::default()
        })
        .collect();
    let mut bytes = Vec::new();
    encode(&rows, Place::default(), &mut bytes);
    let strings: Vec<(Tag, Vec<u8>)> =
        ["checkout", "card refused: 51", "", "a"].iter().map(|text| (Tag::Text, text.as_bytes().to_vec())).collect();
    let line = journal::Line::parse(br#"{"e":"failure","text":"boom","m":5,"scenario":"a@b:c"}"#);
    let decoded = |input: &[u8]| {
        let text = String::from_utf8_lossy(input);
        let filter = match parse(&text) {
            Ok(filter) => filter,
            Err(fault) => {
                assert!(fault.to_string().lines().count() == 3, "a message and a caret");
                return;
            }
        };
        let written = filter.to_string();
        if written.len() <= MAX_BYTES {
            assert_eq!(parse(&written).as_ref(), Ok(&filter), "written out again");
        }
        let context = Context { begin: 3, failures: vec![7, u64::MAX], ..Context::default() };
        let mut bound = bind(&filter, context);
        (1..).zip(&strings).for_each(|(number, (tag, body))| bound.learn(number, *tag, body));
        let Some(block) = decode(&bytes) else { return };
        let selection = bound.select(&block);
        assert!(selection.rows().all(|row| row < rows.len()) && selection.count() <= rows.len());
        if let Some(line) = &line {
            bound.matches(line, &mut Memo::default());
        }
    };
    let filters = torment("filter", &corpus, |_, _| {}, decoded);
    let lines = [br#"{"e":"log","level":"info","d":1,"attr":{"a":[1,null]}}"#.to_vec()];
    let every = bind(
        &parse("error or has:attr.attr.a or dur>1ns").unwrap_or(tracekit_filter::Filter::All(vec![])),
        Context::default(),
    );
    let journal = torment(
        "journal",
        &lines,
        |_, _| {},
        |input| {
            if let Some(line) = journal::Line::parse(input) {
                every.matches(&line, &mut Memo::default());
            }
        },
    );
    if filters && journal { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
