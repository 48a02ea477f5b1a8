//! `vgate run`: the gateway from a file.

use crate::cli::file::File;
use crate::exit::Failure;
use crate::gateway::Gateway;
use crate::load::load;
use crate::say::complain;

pub(super) fn execute(file: &File) -> Result<(), Failure> {
    let config = load(&file.config).map_err(|text| {
        complain(&text);
        Failure::Config
    })?;
    Gateway::new(config).reload_from(&file.config).run()
}
