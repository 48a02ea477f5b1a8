//! `vgate init`: a commented file to start from.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};

use crate::exit::Failure;
use crate::say::{failed, say};

const NAME: &str = "vgate.toml";
pub(super) const TEMPLATE: &str = include_str!("init.toml");

pub(super) fn execute() -> Result<(), Failure> {
    let file = OpenOptions::new().write(true).create_new(true).open(NAME);
    let written = file.and_then(|mut file| file.write_all(TEMPLATE.as_bytes()));
    match written {
        Ok(()) => {
            say("vgate.toml written. Set the endpoints in it, then: vgate check && vgate run");
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            Err(failed("error: vgate.toml is here already and stays as it is; move it away first"))
        }
        Err(error) => Err(failed(&format!("error: cannot write vgate.toml here: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::read;

    #[test]
    fn what_is_written_is_a_good_configuration() {
        let problems = read(TEMPLATE, &|_| None).err();
        assert!(problems.is_none(), "{problems:#?}");
    }
}
