//! A program that dies in the middle of its work, and what is known of it afterwards: it starts itself again with
//! `TRACEKIT_RINGS`, lets that process abort, and drains its rings. `cargo run --example survivor`.

use std::error::Error;
use std::path::Path;
use std::process::{Command, abort};
use std::{env, fs};

use tracer::{Event, Tracer};
use tracer_backend::drain::{Drain, Limits};
use tracer_backend::verify::verify;

fn die() -> Result<(), Box<dyn Error>> {
    let tracer = Tracer::new()?;
    let work = tracer.name("work");
    for number in 0.. {
        let _work = tracer.span(work);
        tracer.record_event(Event::named(work, number))?;
        if number == 1000 {
            abort();
        }
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    if env::var_os(tracer_backend::RINGS_VARIABLE).is_some() {
        return die();
    }
    let folder = env::temp_dir().join(format!("survivor-{}", std::process::id()));
    let rings = folder.join("rings");
    let ended = Command::new(env::current_exe()?).env(tracer_backend::RINGS_VARIABLE, &rings).status()?;
    println!("the other process ended: {ended}");
    report(&rings, &folder)?;
    fs::remove_dir_all(&folder)?;
    Ok(())
}

fn report(rings: &Path, folder: &Path) -> Result<(), Box<dyn Error>> {
    Drain::open(rings, folder, Limits::default())?.finish()?;
    let report = verify(folder)?;
    for lane in report.lanes.values() {
        let end = lane.end.as_deref().unwrap_or("open");
        let lost: u64 = lane.lost.values().sum();
        println!("thread {} ({}): {} records, {lost} lost, {end}", lane.tid, lane.kind, lane.records);
    }
    println!("complete: {}", report.complete());
    Ok(())
}
