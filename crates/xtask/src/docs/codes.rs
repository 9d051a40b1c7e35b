//! The page of public codes, from the one table in the model.

use std::fmt::Write;

use sterna_model::{Class, Code};

const HEAD: &str = "\
<!-- Written by `cargo xtask docs` from crates/model/src/code.rs; do not edit. -->

# Codes

A client never gets an error without a code. A frame carries its number and its name; a WebSocket that is closed
for it carries the close code and, as the reason, the name; an HTTP answer carries the status, and number and
name in its body; MQTT 5 has a reason code. The class follows from the number alone, so a client can act on a code
that is newer than itself:

| numbers | class | what the client does |
| --- | --- | --- |
| 4000-4199 | rejected | corrects the request; the same one fails again |
| 4200-4299 | busy | retries the request after a pause |
| 4300-4399 | unavailable | reconnects, to another member if there is one, and resumes |
| 4400-4499 | broken | reconnects, and reports it: the server is at fault |
";

/// The whole page.
pub(super) fn reference() -> String {
    let mut page = String::from(HEAD);
    for class in [Class::Rejected, Class::Busy, Class::Unavailable, Class::Broken] {
        let name = class.name();
        let title = name[..1].to_uppercase() + &name[1..];
        page += &format!("\n## {title}\n\n");
        page +=
            "| number | name | what is wrong and what to do | close code | HTTP | MQTT | a publish is |\n";
        page += "| --- | --- | --- | --- | --- | --- | --- |\n";
        for code in Code::ALL.iter().filter(|code| code.class() == class) {
            row(&mut page, *code);
        }
    }
    page
}

fn row(page: &mut String, code: Code) {
    let (number, name, advice) = (code.number(), code.name(), code.advice());
    let (close, http, mqtt) = (code.websocket_close(), code.http_status(), code.mqtt_reason());
    let status = code.publish_status().name();
    writeln!(page, "| {number} | `{name}` | {advice} | {close} | {http} | 0x{mqtt:02X} | {status} |")
        .expect("a string takes any text");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_one_row() {
        let page = reference();
        for code in Code::ALL {
            let row = format!("| {} | `{}` | {} |", code.number(), code.name(), code.advice());
            assert_eq!(page.matches(&row).count(), 1, "{code}");
        }
    }

    #[test]
    fn no_cell_breaks_its_table() {
        assert!(
            reference()
                .lines()
                .filter(|line| line.starts_with("| 4"))
                .all(|line| [4, 8].contains(&line.matches('|').count()))
        );
    }
}
