#[test]
fn workspace_features__consistent_versions() {
    use tracer::VERSION; use tracer_backend::VERSION as BACKEND_VERSION; use query_engine::VERSION as QUERY_VERSION;
    assert_eq!(VERSION, BACKEND_VERSION); assert_eq!(VERSION, QUERY_VERSION);
}
