//! The flag that names the configuration.

use std::path::PathBuf;

use clap::Args;

/// Which configuration to read.
#[derive(Debug, Args)]
pub(crate) struct File {
    /// The configuration file.
    #[arg(short, long = "config", value_name = "FILE", default_value = "vgate.toml")]
    pub(crate) config: PathBuf,
}
