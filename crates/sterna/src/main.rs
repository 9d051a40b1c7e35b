//! The one binary: serve, pub, sub, replay, config, bench.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let load = || {
        sterna_config::load(&sterna_config::Sources {
            command_line: std::env::args().skip(1).map(|a| a.trim_start_matches("-D").to_owned()).collect(),
            read_file: |path| std::fs::read_to_string(path),
            ..Default::default()
        })
    };
    let loaded = match load() {
        Ok(loaded) => loaded,
        Err(errors) => {
            for error in errors {
                eprintln!("{error}");
            }
            return ExitCode::from(2);
        }
    };
    match sterna_server::serve(&loaded, load) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
