//! The gateway: one binary, one TOML file.
#![forbid(unsafe_code)]

fn main() {}
