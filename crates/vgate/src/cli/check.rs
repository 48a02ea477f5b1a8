//! `vgate check`: every mistake of a file at once.

use crate::cli::file::File;
use crate::exit::Failure;
use crate::load::load;
use crate::say::{complain, say};

pub(super) fn execute(file: &File) -> Result<(), Failure> {
    match load(&file.config) {
        Ok(config) => {
            let (routes, upstreams) = (config.routes.len(), config.upstreams.len());
            let name = file.config.display();
            say(&format!("{name} is good: {routes} routes, {upstreams} upstreams"));
            Ok(())
        }
        Err(text) => {
            complain(&text);
            Err(Failure::Config)
        }
    }
}
