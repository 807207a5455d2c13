//! The language: what may be written, what it means over the rows of a trace and the lines of a journal, and how a
//! mistake is told.

use tracekit_filter::journal::Line;
use tracekit_filter::{Bound, Context, Memo, bind, parse};
use tracer_backend::block::{Place, decode, encode};
use tracer_backend::kind::UNPAIRED;
use tracer_backend::{Kind, Row, Tag, kinds, payload};

const MS: u64 = 1_000_000;
const BEGIN: u64 = 1_000_000_000_000;

fn lane(name: &str, tid: u64) -> Vec<u8> {
    let mut body = Vec::new();
    payload::put(&mut body, "name", name.as_bytes());
    payload::put_number(&mut body, "tid", tid);
    payload::put(&mut body, "kind", b"durable");
    body
}

fn message(text: &str) -> Vec<u8> {
    let mut body = Vec::new();
    payload::put(&mut body, "text", text.as_bytes());
    payload::put(&mut body, "user", b"ada");
    body
}

fn strings() -> Vec<(Tag, Vec<u8>)> {
    let text = |text: &str| (Tag::Text, text.as_bytes().to_vec());
    vec![
        text("pytest@api:tests/test_cart.py::test_pay"),   // 1
        (Tag::Lane, lane("MainThread", 11)),               // 2
        (Tag::Lane, lane("worker", 12)),                   // 3
        text("checkout"),                                  // 4
        text("health_check"),                              // 5
        text("shop.payments"),                             // 6
        (Tag::Payload, message("card refused: Error 51")), // 7
        text("ValueError"),                                // 8
        text("bad value"),                                 // 9
        text("tenant"),                                    // 10
        text("blue"),                                      // 11
        text("pytest:tests/test_x.py::test_y"),            // 12
    ]
}

fn rows() -> Vec<Row> {
    let row = |kind: Kind, at: u64, id: u32, arg: u32| Row {
        time: BEGIN + at * MS,
        kind: kind.0,
        id,
        arg,
        lane: 2,
        scenario: 1,
        ..Row::default()
    };
    vec![
        row(kinds::ENTER, 0, 4, 30),
        Row { lane: 3, scenario: 12, ..row(kinds::ENTER, 1, 5, 0) },
        Row { lane: 3, scenario: 12, duration: MS, ..row(kinds::EXIT, 2, 5, 0) },
        Row { flags: 5, ..row(kinds::LOG, 3, 6, 7) },
        Row { flags: 5, ..row(kinds::EXCEPTION, 4, 8, 9) },
        Row { duration: 20 * MS, ..row(kinds::UNWIND, 20, 4, 8) },
        row(kinds::ATTRIBUTE, 21, 10, 11),
        row(kinds::POINT, 22, 4, 700),
        Row { scenario: 0, ..row(kinds::EVENT, 23, 1, 0) },
        Row { flags: UNPAIRED, ..row(kinds::EXIT, 24, 4, 0) },
    ]
}

fn learn(bound: &mut Bound, first: u32, strings: &[(Tag, Vec<u8>)]) {
    (first..).zip(strings).for_each(|(number, (tag, body))| bound.learn(number, *tag, body));
}

fn bound(filter: &str) -> Bound {
    let context = Context { begin: BEGIN, failures: vec![BEGIN + 4 * MS], env: "staging".into(), run: "01K".into() };
    let mut bound = bind(&parse(filter).expect(filter), context);
    learn(&mut bound, 1, &strings());
    bound
}

fn selected(filter: &str) -> Vec<usize> {
    let mut bytes = Vec::new();
    encode(&rows(), Place::default(), &mut bytes);
    let block = decode(&bytes).expect("a block");
    let selection = bound(filter).select(&block);
    let found: Vec<usize> = selection.rows().collect();
    assert_eq!(found.len(), selection.count());
    found
}

#[test]
fn rows__by_every_field__then_those_that_have_it() {
    let all: Vec<usize> = (0..10).collect();
    let cases: &[(&str, &[usize])] = &[
        ("", &all),
        ("kind:enter", &[0, 1]),
        ("kind:enter,exit", &[0, 1, 2, 9]),
        ("kind:(enter,exit) -name:health*", &[0, 9]),
        ("kind=log", &[3]),
        ("kind!=enter kind!=exit", &[3, 4, 5, 6, 7, 8]),
        ("kind~^ex", &[2, 4, 9]),
        ("level:error", &[3, 4]),
        ("level>=warning", &[3, 4]),
        ("level=none kind:point", &[7]),
        ("name:checkout", &[0, 5, 7, 9]),
        ("name:CHECK*", &[0, 5, 7, 9]),
        ("name=Checkout", &[]),
        ("name~health.check", &[1, 2]),
        ("span:checkout", &[0, 5, 9]),
        ("lane:worker", &[1, 2]),
        ("lane:11", &[0, 3, 4, 5, 6, 7, 8, 9]),
        ("scenario:*test_y", &[1, 2]),
        ("suite:api", &[0, 3, 4, 5, 6, 7, 9]),
        ("suite=\"\"", &[1, 2]),
        ("env:stag* kind:point", &[7]),
        ("env:production", &[]),
        ("run=01K kind:point", &[7]),
        ("dur>10ms", &[5]),
        ("dur:1ms..20ms", &[2, 5]),
        ("dur<=1ms", &[2]),
        ("t>=+20ms", &[5, 6, 7, 8, 9]),
        ("t:+2ms..+4ms", &[2, 3, 4]),
        ("t<1000001000000", &[0]),
        ("@fail", &[4]),
        ("@fail(-1ms..+0ms)", &[3, 4]),
        ("t:@fail(-2ms..+0ms) kind:exit", &[2]),
        ("val=700", &[7]),
        ("val:600..800", &[7]),
        ("val=4294967296", &[8]),
        ("text:*refused*", &[3]),
        ("text~\"Error \\\\d+\"", &[3]),
        ("has:dur", &[2, 5]),
        ("has:text kind:log", &[3]),
        ("-has:scenario", &[8]),
        ("has:attr.tenant", &[6]),
        ("has:attr.user", &[3]),
        ("attr.tenant=blue", &[6]),
        ("attr.user:a*", &[3]),
        ("error", &[3, 4, 5]),
        ("ERROR", &[3, 4, 5]),
        ("\"card refused\"", &[3]),
        ("check*", &[0, 5, 7, 9]),
        ("error or name:health_check", &[1, 2, 3, 4, 5]),
        ("not (error or name:checkout) not kind:attribute", &[1, 2, 8]),
        ("kind:enter and lane:worker", &[1]),
        ("kind:call", &[0, 1]),
        ("kind:Call,RETURN", &[0, 1, 2, 9]),
        ("kind:(call,raised) -name:health*", &[0, 5]),
        ("kind:raise", &[4]),
        ("kind:with", &[6]),
        ("kind:ERROR", &[3]),
        ("kind:ERROR,call", &[0, 1, 3]),
        ("-kind:ERROR level:error", &[4]),
        ("kind:warn", &[]),
        ("kind:\"call\"", &[]),
        ("kind=call", &[]),
        ("kind:cal*", &[]),
    ];
    for (filter, wanted) in cases {
        assert_eq!(selected(filter), *wanted, "{filter}");
    }
}

#[test]
fn strings__that_come_later__then_learned_without_asking_again() {
    let mut bytes = Vec::new();
    encode(&rows(), Place::default(), &mut bytes);
    let block = decode(&bytes).unwrap();
    let mut bound = bind(&parse("name:checkout").unwrap(), Context::default());
    let strings = strings();
    learn(&mut bound, 1, &strings[..3]);
    assert_eq!(bound.select(&block).count(), 0);
    learn(&mut bound, 4, &strings[3..]);
    assert_eq!(bound.select(&block).count(), 4);
}

#[test]
fn block__where_its_head_denies_it__then_not_looked_into() {
    let mut bytes = Vec::new();
    let calls: Vec<Row> =
        (0..2000).map(|n| Row { time: BEGIN + n, kind: 1, id: 4, scenario: 1, ..Row::default() }).collect();
    encode(&calls, Place::default(), &mut bytes);
    let block = decode(&bytes).unwrap();
    for filter in
        ["kind:log", "level:error", "t>+1s", "dur>1ms", "suite:other", "name:health_check", "scenario:*test_y"]
    {
        assert!(!bound(filter).may_match(&block), "{filter}");
    }
    for filter in ["", "kind:enter", "name:checkout", "-kind:enter", "t<+1s", "suite:api"] {
        assert!(bound(filter).may_match(&block), "{filter}");
    }
}

#[test]
fn lines_of_a_journal__by_the_same_words__then_the_same_answers() {
    let lines = [
        r#"{"e":"attempt.started","scenario":"pytest@api:a.py::t","src":"box/main/1","m":1000000000000,"attempt":1}"#,
        r#"{"e":"failure","scenario":"pytest@api:a.py::t","text":"boom: no card","m":1000004000000}"#,
        r#"{"e":"attempt.ended","scenario":"pytest@api:a.py::t","verdict":"failed","d":25000000,"m":1000025000000,"rusage":{"peak":7}}"#,
        r#"{"e":"log","level":"info","logger":"shop","message":"paid","m":1000002000000}"#,
        r#"{"e":"warning","message":"old","m":1000003000000}"#,
    ];
    let lines: Vec<Line> = lines.iter().map(|line| Line::parse(line.as_bytes()).unwrap()).collect();
    let mut memo = Memo::default();
    for (filter, wanted) in [
        ("", &[0, 1, 2, 3, 4][..]),
        ("error", &[1, 2]),
        ("kind:attempt.*", &[0, 2]),
        ("level>=warning", &[1, 2, 4]),
        ("dur>10ms", &[2]),
        ("t:+1ms..+4ms", &[1, 3, 4]),
        ("@fail(-1ms..+0ms)", &[1, 4]),
        ("suite:api boom", &[1]),
        ("text:boom* or name=shop", &[1, 3]),
        ("attr.verdict=failed", &[2]),
        ("attr.rusage.peak=7", &[2]),
        ("has:scenario -has:dur", &[0, 1]),
        ("lane:box/*", &[0]),
        ("env=staging kind:log", &[3]),
        ("kind:info", &[3]),
        ("kind:warning", &[4]),
        ("kind:begin", &[]),
    ] {
        let bound = bound(filter);
        for _ in 0..2 {
            let found: Vec<usize> = (0..lines.len()).filter(|at| bound.matches(&lines[*at], &mut memo)).collect();
            assert_eq!(found, wanted, "{filter}");
        }
    }
    assert!(Line::parse(b"[1]").is_none() && Line::parse(b"{").is_none());
}

#[test]
fn mistakes__each__then_told_with_their_place_and_what_was_perhaps_meant() {
    for (filter, told) in [
        ("error durr>10ms", "no field durr; did you mean dur?\n  error durr>10ms\n        ^^^^"),
        ("lvel:error", "no field lvel; did you mean level?\n  lvel:error\n  ^^^^"),
        ("atr.user=x", "no field atr.user; put it in quotes if it is text to look for\n  atr.user=x\n  ^^^^^^^^"),
        ("pid:12", "no field pid; lane:WORD finds a process or a thread by its number or name\n  pid:12\n  ^^^"),
        (
            "thread:Main",
            "no field thread; lane:WORD finds a process or a thread by its number or name\n  thread:Main\n  ^^^^^^",
        ),
        ("std::fs", "no field std; put it in quotes if it is text to look for\n  std::fs\n  ^^^"),
        ("dur>10 ms", "a duration has a unit, such as 10ms or 10us\n  dur>10 ms\n      ^^"),
        ("dur:1..5ms", "a duration has a unit, such as 1ms or 1us\n  dur:1..5ms\n      ^^^^^^"),
        ("dur>fast", "dur is a number, such as 10ms, 1ms..5ms, +1.2s\n  dur>fast\n      ^^^^"),
        ("dur:5ms..1ms", "the range ends before it begins\n  dur:5ms..1ms\n      ^^^^^^^^"),
        ("level:eror", "no level eror; did you mean error?\n  level:eror\n        ^^^^"),
        ("name>x", "name has no order; use : = != or ~\n  name>x\n       ^"),
        ("dur~1", "dur is no text; compare it with = < > or a range\n  dur~1\n      ^"),
        ("kind:", "kind: needs a value\n  kind:\n  ^^^^^"),
        ("(error", "this parenthesis is not closed\n  (error\n  ^"),
        ("error)", "no parenthesis is open here\n  error)\n       ^"),
        ("error or", "something must stand on both sides of `or`\n  error or\n        ^^"),
        ("or error", "something must stand on both sides of `or`\n  or error\n  ^^"),
        ("and", "something must stand on both sides of `and`\n  and\n  ^^^"),
        ("error and", "something must stand on both sides of `and`\n  error and\n        ^^^"),
        ("(error and)", "something must stand on both sides of `and`\n  (error and)\n         ^^^"),
        ("error and or x", "something must stand on both sides of `and`\n  error and or x\n        ^^^"),
        ("!kind:log", "what must not hold is written not kind:log, or -kind:log\n  !kind:log\n  ^^^^^^^^^"),
        ("not", "something must follow here\n  not\n     ^"),
        ("a \"b", "a quote is not closed\n  a \"b\n    ^^"),
        ("error | count", "a filter ends here; stages belong to queries\n  error | count\n        ^"),
        ("@fail(1ms)", "moments are written @fail or @fail(-50ms..+10ms)\n  @fail(1ms)\n  ^^^^^^^^^^"),
        ("has:nothing", "no field nothing; put it in quotes if it is text to look for\n  has:nothing\n      ^^^^^^^"),
        ("\u{e9}\u{e9} durr>1", "no field durr; did you mean dur?\n  \u{e9}\u{e9} durr>1\n     ^^^^"),
    ] {
        let fault = parse(filter).expect_err(filter);
        assert_eq!(fault.to_string(), told, "{filter}");
    }
    let fault = parse("name~(a").unwrap_err().to_string();
    assert!(fault.starts_with("a parenthesis in this word is not closed"), "{fault}");
    let fault = parse("name~\"[a\"").unwrap_err().to_string();
    assert!(fault.starts_with("not a regular expression: "), "{fault}");
}

#[test]
fn limits__length_and_depth__then_refused_and_just_below_taken() {
    assert!(parse(&"a".repeat(4096)).is_ok());
    assert!(parse(&"a".repeat(4097)).unwrap_err().message.contains("4096 at most"));
    let nested = |levels: usize| format!("{}a{}", "(".repeat(levels), ")".repeat(levels));
    assert!(parse(&nested(63)).is_ok());
    let long = parse(&"a".repeat(4097)).unwrap_err().to_string();
    assert_eq!(long, "the filter has 4097 bytes, of 4096 at most; ask for less at once");
    assert!(parse(&"-".repeat(65)).is_err());
    assert!(parse(&("not ".repeat(64) + "a")).unwrap_err().message.contains("deeper than 64"));
    assert!(
        parse("name~((((a{1000}){1000}){1000}){1000})").unwrap_err().message.starts_with("not a regular expression")
    );
}

#[test]
fn limits__groups_of_regular_expressions__then_many_are_taken_and_none_that_would_hold_megabytes() {
    let usual = r"name~^(test|check)_[a-z]{1,20}$";
    assert!(parse(&[usual; 20].join(" or ")).is_ok());
    assert!(parse(&format!("name~{}", "(a|b)".repeat(20))).is_ok());
    let groups = format!("name~{}", "((a*)*b)+{2,3}".repeat(20));
    assert!(parse(&groups).unwrap_err().message.starts_with("too many groups"), "{groups}");
    let many = vec![r"text~(\w{1,50})(\w{1,50})"; 100].join(" or ");
    assert!(parse(&many).unwrap_err().message.starts_with("too many groups"));
}

#[test]
fn filter__written_out_again__then_means_the_same() {
    for filter in [
        "",
        "a b",
        "a or b c",
        "not (a or b)",
        "-dur>1ms kind:(enter,exit) or \"x y\"",
        "a!=b or name!=c @fail(-1ms..2ms)",
        "kind:call,ERROR not kind:(fatal,log)",
    ] {
        let Ok(once) = parse(filter) else { continue };
        assert_eq!(parse(&once.to_string()).unwrap(), once, "{filter}");
    }
}

#[test]
fn payloads__asked_for_by_a_filter_or_not__then_known_before_they_are_read() {
    for filter in ["refused", "text:refused", "attr.user:ada", "-has:attr.user", "kind:log (level:error or ada)"] {
        assert!(bound(filter).asks_payloads(), "{filter}");
    }
    for filter in ["", "kind:log level:error", "name:checkout", "scenario:*pay -lane:worker", "t>+1s dur>1ms suite:api"]
    {
        let mut without = bind(&parse(filter).unwrap(), Context { begin: BEGIN, ..Context::default() });
        assert!(!without.asks_payloads(), "{filter}");
        for (number, (tag, body)) in (1..).zip(&strings()) {
            if *tag != Tag::Payload {
                without.learn(number, *tag, body);
            }
        }
        let mut bytes = Vec::new();
        encode(&rows(), Place::default(), &mut bytes);
        let block = decode(&bytes).unwrap();
        assert_eq!(without.select(&block), bound(filter).select(&block), "{filter}");
    }
}
