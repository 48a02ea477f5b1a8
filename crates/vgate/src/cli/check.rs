//! `vgate check`: every mistake of a file at once.

use crate::cli::file::File;
use crate::exit::Failure;
use crate::load::load_strictly;
use crate::say::{complain, say};

pub(super) fn execute(file: &File) -> Result<(), Failure> {
    match load_strictly(&file.config) {
        Ok(config) => {
            let routes = count(config.routes().len(), "route");
            let upstreams = count(config.upstreams.len(), "upstream");
            say(&format!("{} is good: {routes}, {upstreams}", file.config.display()));
            Ok(())
        }
        Err(text) => {
            complain(&text);
            Err(Failure::Config)
        }
    }
}

fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}
