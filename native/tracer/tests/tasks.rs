//! Tasks over threads, and the layer for `tracing`.

use tracer::{AsyncTracer, Event, Settings, TimeRange, TraceLayer, Tracer};
use tracer_backend::{kinds, payload};
use tracing_subscriber::layer::SubscriberExt;

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn record_async__from_many_tasks__then_each_event_once_in_the_scenario_of_its_task() {
    let tracer = AsyncTracer::from(Tracer::with_settings(Settings::default()).unwrap());
    let tasks: Vec<_> = (0..50)
        .map(|task| {
            let tracer = tracer.in_scenario(&format!("scenario {task}"));
            tokio::spawn(async move {
                for step in 0..20 {
                    tracer.record_async(Event::new(task * 100 + step)).await.unwrap();
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let registry = tracer.tracer().unwrap().backend().clone();
    let mut found: Vec<(u64, String)> = tracer
        .query_events(TimeRange::all())
        .iter()
        .map(|event| {
            let (_, scenario) = registry.string_of(event.scenario).unwrap();
            (event.event.value(), String::from_utf8_lossy(&scenario).into_owned())
        })
        .collect();
    found.sort();
    let wanted: Vec<_> =
        (0..50_u64).flat_map(|task| (0..20).map(move |step| (task * 100 + step, format!("scenario {task}")))).collect();
    assert_eq!(found, wanted);
    tracer.shutdown().await.unwrap();
    assert!(tracer.record_async(Event::new(1)).await.is_err());
}

#[test]
fn layer__events_and_spans_of_a_program__then_logs_with_level_and_place_and_calls() {
    let tracer = Tracer::with_settings(Settings::default()).unwrap();
    let subscriber = tracing_subscriber::registry().with(TraceLayer::new(tracer.clone()));
    tracing::subscriber::with_default(subscriber, || {
        let span = tracing::info_span!("checkout", user = 7);
        let _inside = span.enter();
        tracing::warn!(items = 3, "nearly sold out");
    });
    let found = tracer.query_events(TimeRange::all());
    let told: Vec<_> =
        found.iter().map(|event| (event.event.kind(), event.name.as_deref().unwrap_or("-").to_owned())).collect();
    let module = module_path!().to_owned();
    let checkout = || "checkout".to_owned();
    assert_eq!(told, [(kinds::ENTER, checkout()), (kinds::LOG, module), (kinds::EXIT, checkout())]);
    let log = &found[1];
    assert_eq!(log.level(), "warning");
    let (_, body) = tracer.backend().string_of(u32::try_from(log.event.value()).unwrap()).unwrap();
    assert_eq!(payload::field(&body, "text"), Some(&b"nearly sold out items=3"[..]));
    assert!(payload::field(&body, "file").unwrap().ends_with(b"tasks.rs"));
    assert!(payload::number(&body, "line").is_some());
}
