//! `vgate check`: every mistake of a file at once.

use crate::cli::{File, complain, say};
use crate::config::load::load;
use crate::exit::Failure;

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
