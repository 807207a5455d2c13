#[test]
fn tracer_with_backend__full_lifecycle__then_succeeds() {
    let backend = tracer_backend::Registry::new().unwrap();
    let tracer = tracer::Tracer::with_backend(backend);
    for i in 0..10 { tracer.register_thread(i).unwrap(); }
    for i in 0..1000 { tracer.record_event(Event::new(i)).unwrap(); }
    let events = tracer.query_events(TimeRange::all());
    assert_eq!(events.len(), 1000);
    tracer.shutdown().unwrap();
}
