//! Programs that the tests start, and how to get them.

use crate::failure::{Failure, Outcome};
use crate::run::{Program, find};

/// A program that tests start.
struct Need {
    program: &'static str,
    /// Debian's package.
    package: &'static str,
    why: &'static str,
}

/// Everything that tests start beside our own programs.
const NEEDS: [Need; 3] = [
    Need {
        program: "redis-server",
        package: "redis-server",
        why: "shared caches, limits and pools are tested against a real Redis",
    },
    Need {
        program: "promtool",
        package: "prometheus",
        why: "what we expose is read by Prometheus' own checker",
    },
    Need { program: "kill", package: "procps", why: "processes under test are sent signals" },
];

/// Makes sure that every program is there: installs what is missing on Debian as root, and else
/// fails with the command to run.
pub(crate) fn provide() -> Outcome {
    let missing = missing();
    if missing.is_empty() {
        println!("tools: every program that the tests need is installed");
        return Ok(());
    }
    for need in &missing {
        println!("tools: `{}` is missing; {}", need.program, need.why);
    }
    install(&missing)?;
    match self::missing().first() {
        None => Ok(()),
        Some(need) => Err(Failure::new(format!(
            "`{}` is still missing after `{}` was installed",
            need.program, need.package
        ))),
    }
}

fn missing() -> Vec<&'static Need> {
    let needs = NEEDS.iter();
    needs.filter(|need| find(need.program).is_none()).collect()
}

fn install(missing: &[&Need]) -> Outcome {
    let packages: Vec<_> = missing.iter().map(|need| need.package).collect();
    if find("apt-get").is_none() || !is_root() {
        let packages = packages.join(" ");
        return Err(Failure::new(format!(
            "install what is missing and run this again:\n  sudo apt-get install {packages}\n\
             (on another system, the packages of the same name)"
        )));
    }
    // Lists may be old or missing; when they cannot be fetched the packages may still be at hand.
    if let Err(failure) = apt_get(&["update"]).run() {
        println!("tools: going on without fresh package lists: {failure}");
    }
    let options = ["install", "--yes", "--no-install-recommends"];
    apt_get(&options).args(packages).run()
}

fn apt_get(args: &[&str]) -> Program {
    Program::new("apt-get").args(args.iter().copied()).env("DEBIAN_FRONTEND", "noninteractive")
}

fn is_root() -> bool {
    let id = Program::new("id").args(["-u"]).output();
    id.is_ok_and(|id| id.trim() == "0")
}
