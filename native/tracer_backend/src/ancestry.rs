//! What a process inherits that was started and not forked: the scenario that its parent, or whoever is further up and
//! records into the same folder, is in at that moment.

use std::path::Path;

use crate::dictionary::Dictionary;
use crate::header::SCENARIO;
use crate::reader::ProcessFolder;
use crate::system::parent_of;

/// Further up nobody is looked for.
const GENERATIONS: usize = 64;

/// The scenario of the nearest ancestor that records below this folder; nothing where there is none, or none runs.
pub fn inherited_scenario(rings: &Path) -> Option<Vec<u8>> {
    let all = ProcessFolder::all(rings).ok()?;
    let mut pid = u64::from(std::process::id());
    for _ in 0..GENERATIONS {
        pid = parent_of(pid).filter(|parent| *parent > 1)?;
        let own = |folder: &&ProcessFolder| folder.process.pid == pid && folder.process.alive();
        if let Some(folder) = all.iter().find(own) {
            let number = u32::try_from(folder.page().ok()?.word(SCENARIO)).ok().filter(|number| *number > 0)?;
            let mut strings = Dictionary::new(&folder.strings());
            strings.poll(|_, _, _| {}).ok()?;
            return strings.get(number).ok()?.map(|(_, body)| body.to_vec());
        }
    }
    None
}
