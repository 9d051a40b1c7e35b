//! Members that cannot start: they say why and what to do, and end.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::support::{Finished, Folder, sterna};

/// Runs a member that cannot start; gives what it says.
fn failure(folder: &Folder, options: &[&str], code: i32) -> String {
    let start = Instant::now();
    // Not the port that a member of another test may have.
    let options = [&["-DMonitor="], options].concat();
    let finished = Finished::of(sterna(&options).current_dir(folder.path()));
    assert!(start.elapsed() < Duration::from_secs(10), "it gives up at once");
    assert_eq!(finished.code, Some(code), "{finished:?}");
    assert!(!finished.error_text().contains("panicked"), "{finished:?}");
    [finished.stdout, finished.stderr].concat().join("\n")
}

#[test]
fn a_member_that_cannot_start_says_why() {
    let folder = Folder::new();
    folder.write("garbage.pem", "garbage");
    folder.write("bad.conf", "Listen = *:0\nMemroy = 64MB\n");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let taken = format!("-DListen={}", taken.local_addr().expect("a bound socket"));
    let listen = "-DListen=127.0.0.1:0";
    // With the exit codes that `sterna serve --help` promises.
    const CANNOT_RUN: i32 = 1;
    const MISCONFIGURED: i32 = 2;
    let cases: &[(i32, &[&str], &[&str])] = &[
        (CANNOT_RUN, &[&taken], &["Listen", "127.0.0.1:", "in use"]),
        (MISCONFIGURED, &[listen, "--config", "absent.conf"], &["absent.conf"]),
        (MISCONFIGURED, &[listen, "--config", "bad.conf"], &["bad.conf", "2", "Memroy", "Memory"]),
        (CANNOT_RUN, &["-DListen=192.0.2.1:8800"], &["Listen", "192.0.2.1:8800"]),
        (MISCONFIGURED, &[listen, "-DMemroy=64MB"], &["Memroy", "Memory"]),
        (MISCONFIGURED, &[listen, "-DMemory=lots"], &["Memory", "lots"]),
        (MISCONFIGURED, &[listen, "-DMemory=1MB"], &["Memory", "16 MB"]),
        (MISCONFIGURED, &[listen, "-DListenEncrypted=127.0.0.1:0"], &["TlsCertificate"]),
        (
            MISCONFIGURED,
            &[listen, "-DListenEncrypted=127.0.0.1:0", "-DTlsCertificate=absent.pem", "-DTlsKey=absent.pem"],
            &["TlsCertificate", "absent.pem"],
        ),
        (
            MISCONFIGURED,
            &[
                listen,
                "-DListenEncrypted=127.0.0.1:0",
                "-DTlsCertificate=garbage.pem",
                "-DTlsKey=garbage.pem",
            ],
            &["TlsCertificate"],
        ),
        (MISCONFIGURED, &[listen, "-DEntitlement=JWT"], &["Jwt.HmacSecret"]),
        (MISCONFIGURED, &[listen, "-DEntitlement=JWT", "-DJwt.HmacSecret=c2hvcnQ="], &["Jwt.HmacSecret"]),
        (
            MISCONFIGURED,
            &[listen, "-DEntitlement=JWT", "-DJwt.SignatureType=rsa", "-DJwt.PublicKeyPath=garbage.pem"],
            &["Jwt.PublicKeyPath"],
        ),
        (MISCONFIGURED, &[listen, "-DEntitlementAllowTokenFile=."], &["EntitlementAllowToken", "directory"]),
        (
            MISCONFIGURED,
            &[listen, "-DEntitlementAllowTokenFile=absent"],
            &["EntitlementAllowToken", "absent"],
        ),
        (MISCONFIGURED, &[listen, "-DEntitlement=Custom"], &["Entitlement", "Custom"]),
    ];
    for (code, options, said) in cases {
        let text = failure(&folder, options, *code);
        println!("{options:?}: {text}");
        for said in *said {
            assert!(text.contains(said), "{options:?} does not say {said}: {text}");
        }
    }
}
