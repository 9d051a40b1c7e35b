//! The client commands over TLS.

use crate::support::{Finished, Folder, Member, TOKEN, sterna};

/// A member with a certificate for `localhost`, and its address with TLS.
fn member() -> (Member, String) {
    let folder = Folder::new();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    folder.write("certificate.pem", &made.cert.pem());
    folder.write("key.pem", &made.signing_key.serialize_pem());
    let member = Member::start_in(
        folder,
        &["-DListenEncrypted=127.0.0.1:0", "-DTlsCertificate=certificate.pem", "-DTlsKey=key.pem"],
    );
    let line = member.log().find("parameter=ListenEncrypted").unwrap();
    let port = line.split_whitespace().find_map(|word| word.strip_prefix("address=127.0.0.1:")).unwrap();
    let address = format!("wss://localhost:{port}");
    (member, address)
}

#[test]
fn messages_pass_through_tls_with_an_authority_of_ones_own() {
    let (member, address) = member();
    let authority = member.folder().path().join("certificate.pem");
    let run = |arguments: &[&str]| {
        let mut command = sterna(arguments);
        command.args(["--server", &address, "--ca"]).arg(&authority).env("STERNA_TOKEN", TOKEN);
        Finished::of(&mut command)
    };
    let large = "x".repeat(60_000);
    let finished = run(&["pub", "/a", &large]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let finished = run(&["sub", "/a", "--count", "1"]);
    assert_eq!((finished.code, &*finished.stdout), (Some(0), &[large][..]));
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_refused() {
    let (member, address) = member();
    let other = member
        .folder()
        .write("other.pem", &rcgen::generate_simple_self_signed(["x".to_owned()]).unwrap().cert.pem());
    let mut command = sterna(&["pub", "/a", "x", "--timeout", "2", "--server", &address, "--ca"]);
    let finished = Finished::of(command.arg(other).env("STERNA_TOKEN", TOKEN));
    assert_eq!(finished.code, Some(1));
    assert!(finished.error_text().contains("certificate"), "{finished:?}");
}
