//! Who may do what, over the wire: each mode, each kind of token, and what happens to a session when its token changes
//! or ends.

use serde_json::{Value, json};
use sterna_model::Code;

use crate::http::Http;
use crate::listening::Listening;
use crate::native::{Incoming, Native};
use crate::support::{Folder, Member, TOKEN, eventually};
use crate::tokens::{Signer, claims, confused, forged, unsigned};

/// A member that takes the tokens of a signer.
fn member_for(signer: Signer, options: &[&str]) -> Member {
    let folder = Folder::new();
    let jwt = signer.options(&folder);
    let options: Vec<&str> = jwt.iter().map(String::as_str).chain(options.iter().copied()).collect();
    Member::start_in(folder, &options)
}

fn assert_denied(result: &Value, code: Code) {
    assert_eq!((&result["status"], &result["code"]), (&"DENIED".into(), &code.number().into()), "{result}");
}

/// What a connect with that token is refused with; the close has the same code.
fn refusal(address: &str, token: Option<&str>) -> (u16, String) {
    let mut client = Native::open(address);
    let mut connect = json!({"op": "connect"});
    if let Some(token) = token {
        connect["token"] = token.into();
    }
    client.send(&connect);
    let error = client.frame_of("error");
    let close = client.close();
    assert_eq!(error["code"], close.0, "{error}");
    close
}

#[test]
fn mode_none_asks_for_nothing() {
    let member = Member::start(&["-DEntitlement=None"]);
    for (token, subject) in [(None, "/1"), (Some("any"), "/2")] {
        let mut client = Native::connect(&member.address(), token);
        client.subscribe(subject);
        client.publish_and_hear(subject, "x");
    }
}

#[test]
fn mode_basic_lets_everyone_subscribe_and_the_token_publish() {
    let member = Member::start(&["-DEntitlement=Basic", "-DRest.Enable=true"]);
    for (token, subject) in [(None, "/1"), (Some("wrong"), "/2"), (Some(&TOKEN[1..]), "/3")] {
        let mut client = Native::connect(&member.address(), token);
        client.subscribe(subject);
        assert_denied(&client.publish(subject, "x"), Code::PublishDenied);
        // The token may come later.
        client.send(&json!({"op": "token", "id": 7, "token": TOKEN}));
        assert_eq!(client.frame(), json!({"op": "token_renewed", "id": 7}));
        client.publish_and_hear(subject, "x");
        client.send(&json!({"op": "token", "id": 8, "token": "wrong"}));
        assert_eq!(client.frame_of("token_renewed")["id"], 8);
        assert_denied(&client.publish(subject, "x"), Code::PublishDenied);
    }
    let mut http = Http::open(&member.address());
    assert_eq!(http.produce("/a", TOKEN, "x").json()["status"], "OK");
    http.send("POST /rest/produce?subject=/a&closure=c HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx");
    assert_eq!(http.answer().json()["status"], "DENY");
    assert_eq!(http.get("/rest/consume?subject=/a").json()["messages"][0]["content"], "x");
}

#[test]
fn a_token_that_is_not_good_is_refused_with_what_is_wrong() {
    for signer in Signer::ALL {
        let member = member_for(signer, &[]);
        let address = member.address();
        let permissions = json!({"all": ["/a"]});
        let good = signer.token(&permissions, 60);
        Native::connect(&address, Some(&good)).publish_ok("/a", "x");

        assert_eq!(refusal(&address, None), (4030, "token_missing".to_owned()));
        let expired = signer.token(&permissions, -1);
        assert_eq!(refusal(&address, Some(&expired)), (4032, "token_expired".to_owned()));
        let wide = claims(&json!({"all": ["/**"]}), 60);
        let mut early = claims(&permissions, 60);
        early["nbf"] = early["exp"].clone();
        let mut invalid = vec![
            ("nonsense", "x".to_owned()),
            ("cut", good[..good.len() - 10].to_owned()),
            ("forged", forged(&good, &wide)),
            ("unsigned", unsigned(&wide)),
            ("signed with the public key", confused(&wide)),
            ("not valid yet", signer.sign(&early)),
            ("without an end", signer.sign(&json!({"permissions": permissions}))),
            (
                "with an end that is no time",
                signer.sign(&json!({"exp": "tomorrow", "permissions": permissions})),
            ),
            ("with a permission that is no list", signer.sign(&claims(&json!({"sub": "/a"}), 60))),
            ("with a permission that is no subject", signer.sign(&claims(&json!({"sub": ["a"]}), 60))),
        ];
        for other in Signer::ALL.into_iter().filter(|other| *other != signer) {
            invalid.push(("of another algorithm", other.token(&permissions, 60)));
        }
        for (name, token) in invalid {
            assert_eq!(refusal(&address, Some(&token)), (4031, "token_invalid".to_owned()), "{name}");
        }
    }
}

#[test]
fn permissions_decide_subject_by_subject() {
    let member = member_for(Signer::Es256, &["-DRest.Enable=true"]);
    let permissions = json!({"sub": ["/s/*", "/deep/**"], "pub": ["/p", "/q/*/r"], "all": ["/both"]});
    let token = Signer::Es256.token(&permissions, 60);
    let mut client = Native::connect(&member.address(), Some(&token));
    let allowed = ["/s/a", "/deep/a", "/deep/a/b/c", "/both"];
    let denied = ["/s", "/s/a/b", "/deeper/a", "/p", "/q/a/r", "/Both"];
    let subjects: Vec<&str> = allowed.iter().chain(&denied).copied().collect();
    client.send(&json!({"op": "subscribe", "id": 1, "subjects": subjects}));
    let mut answers: Vec<Value> = subjects.iter().map(|_| client.frame()).collect();
    for (subject, expected) in allowed
        .iter()
        .map(|subject| (subject, Value::Null))
        .chain(denied.iter().map(|subject| (subject, 4033.into())))
    {
        let at = answers.iter().position(|answer| answer["subject"] == *subject);
        let answer =
            answers.swap_remove(at.unwrap_or_else(|| panic!("no answer for {subject}: {answers:?}")));
        assert_eq!((&answer["code"], &answer["id"]), (&expected, &1.into()), "{answer}");
    }
    for subject in ["/p", "/q/a/r"] {
        client.publish_ok(subject, "x");
    }
    client.publish_and_hear("/both", "x");
    for subject in ["/s/a", "/q/r", "/q/a/b/r", "/p/a"] {
        assert_denied(&client.publish(subject, "x"), Code::PublishDenied);
    }

    let mut http = Http::open(&member.address());
    http.get("/rest/consume?subject=/both").assert_refused(Code::TokenMissing);
    http.get(&format!("/rest/consume?subject=/p&token={token}")).assert_refused(Code::SubscribeDenied);
    assert_eq!(
        http.get(&format!("/rest/consume?subject=/both&token={token}")).json()["messages"][0]["content"],
        "x"
    );
    http.get(&format!("/sse?subject=/both&subject=/p&token={token}")).assert_refused(Code::SubscribeDenied);
    assert_eq!(http.get("/sse?subject=/both").header("www-authenticate"), Some("Bearer"));
    assert_eq!((http.produce("/s/a", &token, "x").json()["status"].as_str()), Some("DENY"));
    let expired = Signer::Es256.token(&permissions, -1);
    assert_eq!(http.produce("/p", &expired, "x").status, 401);
}

#[test]
fn a_token_is_renewed_on_the_live_connection_or_ends_it() {
    let member = member_for(Signer::Hs256, &["-DJwt.RenewTokenBeforeSeconds=2"]);
    let permissions = json!({"all": ["/a", "/b"]});
    let begin = |in_s: i64| {
        let mut client = Native::open(&member.address());
        let connected = client.begin(Some(&Signer::Hs256.token(&permissions, in_s)));
        let expires_in_ms = connected["token_expires_in_ms"].as_u64().expect("it expires");
        let in_ms = u64::try_from(in_s * 1000).expect("later");
        assert!((in_ms - 1500..=in_ms).contains(&expires_in_ms), "{connected}");
        client
    };
    let (mut renewing, mut expiring) = (begin(4), begin(4));
    let mut stream = Http::open(&member.address());
    let token = Signer::Hs256.token(&permissions, 4);
    stream.send(format!("GET /sse?subject=/a&token={token} HTTP/1.1\r\nHost: a\r\n\r\n"));
    renewing.subscribe("/a");
    for client in [&mut renewing, &mut expiring] {
        let notice = client.frame_of("notice");
        assert_eq!(notice["notice"], "token_to_expire");
        assert!(notice["expires_in_ms"].as_u64().is_some_and(|ms| ms <= 2000), "{notice}");
    }
    // A token that is refused leaves the old one in force.
    renewing.send(&json!({"op": "token", "id": 1, "token": "nonsense"}));
    assert_eq!(renewing.frame_of("error")["code"], 4031);
    renewing.send(&json!({"op": "token", "id": 2, "token": Signer::Hs256.token(&permissions, 60)}));
    let renewed = renewing.frame_of("token_renewed");
    assert!(renewed["expires_in_ms"].as_u64().is_some_and(|ms| ms > 50_000), "{renewed}");

    assert_eq!(expiring.frame_of("error")["code"], 4032);
    assert_eq!(expiring.close(), (4032, "token_expired".to_owned()));
    let events = String::from_utf8(stream.rest()).expect("text");
    assert!(events.contains("event: error\ndata: {") && events.contains(r#""code":4032"#), "{events}");
    renewing.publish_and_hear("/a", "the session goes on");
}

#[test]
fn subscriptions_that_a_renewed_token_does_not_allow_end() {
    let member = member_for(Signer::Rs256, &[]);
    let token = |permissions: Value| Signer::Rs256.token(&permissions, 60);
    let mut publisher = Native::connect(&member.address(), Some(&token(json!({"pub": ["/**"]}))));
    let mut client = Native::connect(&member.address(), Some(&token(json!({"sub": ["/**"]}))));
    client.subscribe("/kept");
    client.subscribe("/lost");
    client.send(&json!({"op": "token", "id": 1, "token": token(json!({"sub": ["/kept"]}))}));
    assert_eq!(client.frame_of("token_renewed")["id"], 1);
    let error = client.frame_of("error");
    assert_eq!((&error["code"], &error["subject"], error.get("id")), (&4033.into(), &"/lost".into(), None));
    assert_eq!(client.frame(), json!({"op": "unsubscribed", "subject": "/lost"}));
    publisher.publish_ok("/lost", "x");
    publisher.publish_ok("/kept", "y");
    assert_eq!(client.frame_of("message")["content"], "y");
    client.send(&json!({"op": "subscribe", "id": 2, "subjects": ["/lost"]}));
    assert_eq!(client.frame_of("error")["code"], 4033);
}

#[test]
fn addresses_that_are_not_in_the_list_may_subscribe_but_not_publish() {
    let folder = Folder::new();
    folder.write("sterna.conf", "PublishAllowFromAddressList = 192.0.2.7, 127.0.0.0/8\n");
    let options = ["-DListen=127.0.0.1:0,*:0", "-DRest.Enable=true", "-DEntitlement=None"];
    let mut member = Listening::start(folder, &options);
    let addresses = member.addresses("Listen");
    // The second one is `*`: there an IPv4 client has an address of IPv6.
    let port = addresses[1].rsplit(':').next().expect("a port");
    let ways = [addresses[0].clone(), format!("127.0.0.1:{port}"), format!("[::1]:{port}")];
    let statuses = |ways: &[String]| -> Vec<Value> {
        ways.iter().map(|way| Native::connect(way, None).publish("/a", "x")["status"].clone()).collect()
    };
    assert_eq!(statuses(&ways), ["OK", "OK", "DENIED"]);
    let mut denied = Native::connect(&ways[2], None);
    denied.subscribe("/a");
    while denied.frame()["content"] != "x" {}
    assert_denied(&denied.publish("/a", "x"), Code::AddressDenied);
    assert_eq!(Http::open(&ways[2]).produce("/a", "any", "x").json()["status"], "DENY");

    member.folder().write("sterna.conf", "PublishAllowFromAddressList = ::1\n");
    member.running.signal("HUP");
    eventually("the new list", || (statuses(&ways) == ["DENIED", "DENIED", "OK"]).then_some(()));
    member.stop(0);
    assert!(matches!(denied.next(), Incoming::Frame(_)), "it is told that the member goes");
}
