//! A program that records what it does, asks for it, and prints it: `cargo run --example flight_recorder`.

use std::error::Error;

use tracer::{Event, TimeRange, Tracer};

fn main() -> Result<(), Box<dyn Error>> {
    let tracer = Tracer::new()?;
    let (checkout, items) = (tracer.name("checkout"), tracer.name("items"));
    tracer.start_scenario("shop/cart", 1)?;
    {
        let _checkout = tracer.span(checkout);
        tracer.record_event(Event::named(items, 3))?;
    }
    tracer.end_scenario("shop/cart", "passed")?;

    let events = tracer.query_events(TimeRange::all());
    let begun = events.first().map_or(0, |event| event.time_ns);
    for event in &events {
        let name = event.name.as_deref().unwrap_or("-");
        println!("+{:>7} ns  {:<15} {name} {}", event.time_ns - begun, event.event.kind().name(), event.event.value());
    }
    tracer.shutdown()?;
    Ok(())
}
