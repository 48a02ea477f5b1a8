//! The commands that need no network: check, init, and what a wrong command line ends with.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

mod fixture;

use std::fs;

use fixture::vgate;

const FIVE_MISTAKES: &str = r#"[server]
shutdown_timeout = "30 parsecs"

[[listeners]]
lisen = "127.0.0.1:8080"

[upstreams.app]
endpoints = ["http://127.0.0.1:3000"]
policy = "round_robbin"

[rate_limits.slow]
rate = "100"

[[routes]]
path = "/"
upstream = "ap"
"#;

fn run(folder: &std::path::Path, args: &[&str]) -> (i32, String, String) {
    let output = vgate().args(args).current_dir(folder).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn check_shows_every_mistake_at_its_place() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("vgate.toml"), FIVE_MISTAKES).unwrap();
    let (code, _, text) = run(folder.path(), &["check"]);
    assert_eq!(code, 1);
    for place in ["2:20", "5:1", "9:10", "12:8", "16:12"] {
        assert!(text.contains(&format!("vgate.toml:{place}")), "{place} in\n{text}");
    }
    for hint in ["did you mean `listen`?", "did you mean `round_robin`?", "did you mean `app`?"] {
        assert!(text.contains(hint), "{hint} in\n{text}");
    }
    assert!(text.contains("5 mistakes in vgate.toml"), "{text}");
}

#[test]
fn check_points_at_what_a_crate_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let config = "[server]\nworkers = 100000\n[log]\nlevel = \"wran\"\n\
                  [client]\nconnect_timeout = \"0s\"\n\
                  [upstreams.app]\nendpoints = [\"localhost:1\"]\nhealth = { path = \"x\" }\n\
                  [[routes]]\npath = \"/a%2Db\"\nproxy = { tries = 0 }\n\
                  [[routes]]\npath = \"/\"\nhosts = [\"a.example:80\"]\n";
    fs::write(folder.path().join("vgate.toml"), config).unwrap();
    let (code, _, text) = run(folder.path(), &["check"]);
    assert_eq!(code, 1);
    for place in ["2:11", "4:9", "6:19", "9:19", "11:8", "12:19", "15:10"] {
        assert!(text.contains(&format!("vgate.toml:{place}")), "{place} in\n{text}");
    }
    assert!(text.contains("7 mistakes"), "{text}");
}

#[test]
fn check_shows_every_mistake_of_one_part() {
    let folder = tempfile::tempdir().unwrap();
    let config = "[server]\ntrusted_proxies = [\"10.0.0.0/33\", \"x\"]\n\
                  [upstreams.app]\nendpoints = [\"http//nothing\"]\n\
                  outlier = { max_ejected = 150, base = \"0s\" }\n\
                  [[routes]]\nproxy = { tries = 99, head_timeout = \"0s\", idle_timeout = \"0s\" }\n";
    fs::write(folder.path().join("vgate.toml"), config).unwrap();
    let (code, _, text) = run(folder.path(), &["check"]);
    assert_eq!(code, 1);
    for place in ["2:20", "2:35", "4:14", "5:27", "5:39", "7:19", "7:38", "7:59"] {
        assert!(text.contains(&format!("vgate.toml:{place}")), "{place} in\n{text}");
    }
    assert!(text.contains("8 mistakes"), "{text}");
}

#[test]
fn a_mistake_is_not_echoed_by_others() {
    let folder = tempfile::tempdir().unwrap();
    let config = "[upstreams.app]\nendpoints = [\"http//nothing\"]\n";
    fs::write(folder.path().join("vgate.toml"), config).unwrap();
    let (_, _, text) = run(folder.path(), &["check"]);
    assert!(text.contains("1 mistake in"), "{text}");
}

#[test]
fn init_writes_a_good_file_and_never_overwrites() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(run(folder.path(), &["init"]).0, 0);
    let (code, said, _) = run(folder.path(), &["check"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("vgate.toml is good"), "{said}");
    let before = fs::read(folder.path().join("vgate.toml")).unwrap();
    let (code, _, complaint) = run(folder.path(), &["init"]);
    assert_eq!(code, 3);
    assert!(complaint.contains("is here already"), "{complaint}");
    assert_eq!(fs::read(folder.path().join("vgate.toml")).unwrap(), before);
}

#[test]
fn a_missing_file_says_how_to_get_one() {
    let folder = tempfile::tempdir().unwrap();
    let (code, _, text) = run(folder.path(), &["run"]);
    assert_eq!(code, 1);
    assert!(text.contains("cannot read vgate.toml") && text.contains("vgate init"), "{text}");
}

#[test]
fn a_wrong_command_line_ends_with_2_and_help_teaches() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(run(folder.path(), &["prox"]).0, 2);
    let (code, _, text) = run(folder.path(), &["proxy", "--to", "localhost:1", "--rate", "100"]);
    assert_eq!(code, 2);
    assert!(text.contains("`100/s`"), "{text}");
    let (code, text, _) = run(folder.path(), &["--help"]);
    assert_eq!(code, 0);
    assert!(text.contains("Exit codes") && text.contains("vgate demo"), "{text}");
}
