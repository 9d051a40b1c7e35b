//! `sterna serve`: start and end of the process.

use std::net::TcpListener;
use std::process::Command;

use crate::running::{run, succeed};
use crate::support::{Finished, Folder, Member, Running, TOKEN, eventually, sterna};

#[test]
fn version_and_help_are_there() {
    let finished = Finished::of(&mut sterna(&["--version"]));
    assert_eq!(finished.stdout, [concat!("sterna ", env!("CARGO_PKG_VERSION"))]);
    let finished = Finished::of(&mut sterna(&["--help"]));
    assert!(finished.stdout.join("\n").contains("Examples:"));
}

#[test]
fn serve_is_what_happens_without_a_command() {
    for arguments in [&[][..], &["serve"]] {
        let folder = Folder::new();
        let mut command = sterna(arguments);
        command.args(["-DListen=127.0.0.1:0", "-DMonitor=", "-D", "EntitlementAllowToken=t"]);
        let mut server = Running::start(command.current_dir(folder.path()));
        server.stdout.find(" ready ").expect("it starts");
        server.signal("TERM");
        assert_eq!(server.wait(), Some(0));
        server.stdout.find("stopped").expect("it says so");
    }
}

#[test]
fn a_taken_port_and_a_wrong_configuration_have_their_own_exit_codes() {
    let folder = Folder::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("-DListen={}", taken.local_addr().unwrap());
    let serve = |arguments: &[&str]| {
        let mut command: Command = sterna(&["-DMonitor="]);
        Finished::of(command.args(arguments).current_dir(folder.path()))
    };
    let finished = serve(&[&listen]);
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(finished.error_text().contains("in use"), "{finished:?}");
    for wrong in [&["-DMemory=lots"][..], &["--config", "absent"], &["-DMemory"], &["--unknown"]] {
        assert_eq!(serve(wrong).code, Some(2), "{wrong:?}");
    }
}

#[test]
fn the_file_that_was_found_is_told_in_the_log_and_read_again_on_hangup() {
    let folder = Folder::new();
    folder.write("sterna.conf", "MaxMessageSize = 100\nEntitlementAllowToken = first\n");
    let mut command = sterna(&["-DListen=127.0.0.1:0", "-DMonitor="]);
    let server = Running::start(command.current_dir(folder.path()));
    server.stdout.find("sterna.conf, found in the working directory").expect("it is told");
    let line = server.stdout.find("parameter=Listen").unwrap();
    let address = line.split_whitespace().find_map(|word| word.strip_prefix("address=")).unwrap();
    let publish = |token: &str| {
        Finished::of(&mut sterna(&["pub", "/a", "x", "--server", address, "--token", token])).code
    };
    assert_eq!((publish("first"), publish("second")), (Some(0), Some(3)));
    folder.write("sterna.conf", "MaxMessageSize = 100\nEntitlementAllowToken = second\n");
    server.signal("HUP");
    server.stdout.find("reloaded").expect("it says so");
    assert_eq!((publish("first"), publish("second")), (Some(3), Some(0)));
    folder.write("sterna.conf", "MaxMessageSize = many\n");
    server.signal("HUP");
    server.stdout.find("sterna.conf:1: MaxMessageSize").expect("the mistake is told");
    assert_eq!(publish("second"), Some(0), "and nothing was changed");
}

#[test]
fn memory_that_is_not_used_goes_back_to_the_system() {
    let mut command = sterna(&["--version"]);
    let finished = Finished::of(command.env("_RJEM_MALLOC_CONF", "stats_print:true"));
    let text = finished.error_text();
    for expected in ["opt.dirty_decay_ms: 1000", "opt.background_thread: true"] {
        assert!(text.contains(expected), "{expected}");
    }
}

#[test]
fn a_member_of_the_tests_starts_again_on_its_port() {
    let mut member = Member::start(&["-DDrainTime=0"]);
    succeed(&member, &["pub", "/a", "x", "--token", TOKEN]);
    let first = member.id();
    member.restart();
    assert_ne!(member.id(), first);
    let answer = eventually("health", || member.get("/health").ok());
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(run(&member, &["pub", "/a", "x"]).code, Some(0));
}
