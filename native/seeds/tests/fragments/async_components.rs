#[tokio::test]
async fn async_components__concurrent_operations__then_coordinated() {
    let server = mcp_server::Server::new();
    let tracer = tracer::AsyncTracer::new();
    server.set_tracer(tracer.clone()).await;
    let handles = (0..100).map(|i| { let tracer = tracer.clone();
        tokio::spawn(async move { tracer.record_async(Event::new(i)).await }) });
    futures::future::join_all(handles).await;
    let response = server.query("recent_events").await.unwrap();
    assert_eq!(response.event_count, 100);
}
