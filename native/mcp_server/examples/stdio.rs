//! A server over standard input and output, as assistants start one: it answers about what this very program records.
//! Standard output belongs to the protocol, so the program itself says nothing there.

use std::error::Error;
use std::time::Duration;

use mcp_server::Server;
use rmcp::transport::stdio;
use tracer::{AsyncTracer, Event};

/// The work of the program.
async fn work(tracer: &AsyncTracer) -> Result<(), Box<dyn Error>> {
    let name = tracer.name("checkout");
    for number in 0.. {
        tracer.record_async(Event::named(name, number)).await?;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let tracer = AsyncTracer::new();
    let server = Server::new();
    server.set_tracer(tracer.clone()).await;
    let running = server.serve(stdio()).await?;
    // Until whoever started it closes its input.
    tokio::select! {
        worked = work(&tracer) => worked?,
        left = running.waiting() => drop(left?),
    }
    tracer.shutdown().await?;
    Ok(())
}
