//! BGP neighbours for the benchmark. They send prepared messages as fast as TCP takes them, keep every byte they are
//! sent, and look into it only when asked, after the time that counts.
//!
//! `bench-peers FILE` runs the sessions of FILE (`spec`), commands on stdin, one JSON line on stdout for each
//! (`commands`). `bench-peers work` times a fixed piece of work. It shares no code with the router under test.
#![forbid(unsafe_code)]

mod attributes;
mod clock;
mod commands;
mod fold;
mod hashing;
mod record;
mod serve;
mod session;
mod socket;
mod spec;
mod update;
mod wire;
mod work;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["work"] => {
            println!("{{\"seconds\":{:.4}}}", work::seconds());
            Ok(())
        }
        [file] => std::fs::read_to_string(file)
            .map_err(|error| format!("{file}: {error}"))
            .and_then(|text| spec::parse(&text))
            .and_then(serve::run),
        _ => Err("usage: bench-peers FILE | bench-peers work".to_string()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-peers: {error}");
            ExitCode::FAILURE
        }
    }
}
