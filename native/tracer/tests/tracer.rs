//! The tracer as a program sees it.

use std::thread;

use tracer::{Event, Problem, Reason, Settings, TimeRange, Tracer};

fn tracer() -> Tracer {
    Tracer::with_settings(Settings::default()).expect("memory for the rings")
}

#[test]
fn query_events__right_after_recording__then_every_event_in_order_of_time() {
    let tracer = tracer();
    let before = Tracer::now();
    for value in [7, u64::MAX, 1 << 40] {
        tracer.record_event(Event::new(value)).unwrap();
    }
    let found = tracer.query_events(TimeRange::all());
    assert_eq!(found.iter().map(|event| event.event.value()).collect::<Vec<_>>(), [7, u64::MAX, 1 << 40]);
    assert_eq!(found.iter().map(|event| event.sequence).collect::<Vec<_>>(), [0, 1, 2]);
    let after = Tracer::now();
    // The two clocks are read one after the other, and their line is drawn between two such moments.
    assert!(found.iter().all(|event| (before - 1_000_000..after + 1_000_000).contains(&event.time_ns)));
}

#[test]
fn query_events__part_of_the_time__then_only_what_lies_in_it() {
    let tracer = tracer();
    (0..10).for_each(|value| tracer.record_event(Event::new(value)).unwrap());
    let all = tracer.query_events(TimeRange::all());
    let (from, to) = (all[3].time_ns, all[7].time_ns);
    let inside = all.iter().filter(|event| (from..to).contains(&event.time_ns)).count();
    let found = tracer.query_events(TimeRange::between(from, to)).len();
    // The line between the clocks is drawn anew for each question.
    assert!(found.abs_diff(inside) <= 1, "{found} {inside}");
    assert_eq!(tracer.query_events(TimeRange::since(u64::MAX - 1)).len(), 0);
}

#[test]
fn span__nested__then_names_and_kinds_in_order() {
    let tracer = tracer();
    let (outer, inner) = (tracer.name("outer"), tracer.name("inner"));
    assert_eq!(tracer.name("outer"), outer);
    {
        let _outer = tracer.span(outer);
        let _inner = tracer.span(inner);
        tracer.record_event(Event::named(inner, 3)).unwrap();
    }
    let told: Vec<_> = tracer
        .query_events(TimeRange::all())
        .iter()
        .map(|event| format!("{} {}", event.event.kind().name(), event.name.as_deref().unwrap_or("-")))
        .collect();
    assert_eq!(told, ["enter outer", "enter inner", "point inner", "exit inner", "exit outer"]);
}

#[test]
fn register_thread__the_same_number_from_several_threads__then_one_of_them_writes_there() {
    let tracer = tracer();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                tracer.register_thread(7).unwrap();
                (0..100).for_each(|value| tracer.record_event(Event::new(value)).unwrap());
            });
        }
    });
    assert_eq!(tracer.query_events(TimeRange::all()).len(), 400);
}

#[test]
fn shutdown__with_64_threads__then_again_without_effect_and_later_events_are_refused() {
    let tracer = tracer();
    thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| (0..1000).for_each(|value| tracer.record_event(Event::new(value)).unwrap()));
        }
    });
    tracer.shutdown().unwrap();
    tracer.shutdown().unwrap();
    assert!(matches!(tracer.record_event(Event::new(1)), Err(Problem::Dropped(Reason::Closed))));
    assert_eq!(tracer.query_events(TimeRange::all()).len(), 64_000);
    assert_eq!(tracer.dropped()[Reason::Closed as usize], 1);
}
