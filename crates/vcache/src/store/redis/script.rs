//! What runs on the server in one step.

use ::redis::Cmd;

/// A Lua script and its name on the server, the SHA-1 of its text.
pub(crate) struct Script {
    text: &'static str,
    hash: String,
}

impl Script {
    pub(crate) fn new(text: &'static str) -> Self {
        Self { text, hash: ::redis::Script::new(text).get_hash().to_owned() }
    }

    /// The call by its name.
    pub(super) fn short(&self, keys: &[&str], args: &[&[u8]]) -> Cmd {
        command("EVALSHA", &self.hash, keys, args)
    }

    /// The call with the whole text, which the server then knows.
    pub(super) fn whole(&self, keys: &[&str], args: &[&[u8]]) -> Cmd {
        command("EVAL", self.text, keys, args)
    }
}

fn command(name: &str, script: &str, keys: &[&str], args: &[&[u8]]) -> Cmd {
    let mut command = Cmd::new();
    command.arg(name).arg(script).arg(keys.len()).arg(keys).arg(args);
    command
}
