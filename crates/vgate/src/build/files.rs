//! Whether the files of caches could be opened, without opening them.

use std::fs::{OpenOptions, remove_file};
use std::io;
use std::path::Path as FilePath;

use crate::config::Config;
use crate::config::document::{Path, at};
use crate::config::fault::Fault;

/// Every file that could not be opened.
pub(crate) fn check_files(config: &Config) -> Vec<(Path, Fault)> {
    let mut faults = Vec::new();
    for (name, cache) in &config.caches {
        let Some(disk) = &cache.disk else { continue };
        if let Err(error) = could_open(&disk.path) {
            let path = disk.path.display();
            let fault = Fault::new(format!("`{path}` cannot be opened: {error}"))
                .help("the folder must be there, and the gateway be allowed to write in it");
            faults.push((at!["caches", name.as_str(), "disk", "path"], fault));
        }
    }
    faults
}

/// Opens the file if it is there; else makes one beside it, for a moment.
fn could_open(path: &FilePath) -> io::Result<()> {
    match OpenOptions::new().read(true).write(true).open(path) {
        Ok(_) => return Ok(()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Err(_) => {}
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".check-{}", std::process::id()));
    OpenOptions::new().write(true).create_new(true).open(&name)?;
    remove_file(&name)
}
