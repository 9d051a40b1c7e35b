//! The schema of the Helm chart's values: the chart's own, written by hand, and every parameter of the server.

use serde_json::{Value, json};
use sterna_config::{Parameter, Standing, parameters};

use crate::Result;

/// Parameters that the chart sets itself, from its other values.
const OF_THE_CHART: [&str; 14] = [
    "ClusterMemberCoordinationFolder",
    "ClusterMemberListen",
    "ClusterMembers",
    "ClusterSeedMemberCount",
    "ClusterTlsAuthority",
    "ClusterTlsCertificate",
    "ClusterTlsKey",
    "Listen",
    "ListenEncrypted",
    "Monitor",
    "MonitorPrometheus.Encryption",
    "MonitorPrometheus.Listen",
    "TlsCertificate",
    "TlsKey",
];

/// Parameters that do nothing in a pod of the chart, or stop it: it has its user from the start, and no HTTP interface.
const NOT_IN_A_POD: [&str; 4] =
    ["MonitorHTTP.Authentication", "MonitorHTTP.Encryption", "MonitorHTTP.Listen", "RunAsUser"];

/// Words that the server knows, and refuses.
const NOT_OFFERED: [(&str, &str); 1] = [("Entitlement", "Custom")];

/// The whole schema. `outline` is the part written by hand, with `"PARAMETERS"` and `"SECRETS"` where those go.
///
/// # Errors
/// The outline has no such places, or what comes out is no JSON.
pub(super) fn values_schema(outline: &str) -> Result<String> {
    let is_open = |parameter: &&Parameter| {
        parameter.standing != Standing::Ignored
            && !parameter.secret
            && parameter.holds_path_of.is_none()
            && !OF_THE_CHART.contains(&parameter.name)
            && !NOT_IN_A_POD.contains(&parameter.name)
    };
    let open = parameters().iter().filter(is_open).map(|parameter| (parameter.name, schema(parameter)));
    let secrets = parameters().iter().filter_map(|parameter| {
        let secret = parameter.holds_path_of?;
        let description = format!("Key of the Secret that holds {secret}");
        Some((parameter.name, json!({ "description": description, "minLength": 1, "type": "string" })))
    });
    let schema = fill(outline, "\"PARAMETERS\"", open)?;
    let schema = fill(&schema, "\"SECRETS\"", secrets)?;
    serde_json::from_str::<Value>(&schema).map_err(|problem| format!("values.schema.in.json: {problem}"))?;
    Ok(schema)
}

/// Replaces the place by an object with a line for each member, indented like the place.
fn fill(outline: &str, place: &str, members: impl Iterator<Item = (&'static str, Value)>) -> Result<String> {
    let (before, after) =
        outline.split_once(place).ok_or_else(|| format!("values.schema.in.json has no {place}"))?;
    let line = before.rsplit('\n').next().unwrap_or_default();
    let indent = &line[..line.len() - line.trim_start().len()];
    let lines: Vec<String> =
        members.map(|(name, schema)| format!("{indent}  \"{name}\": {schema}")).collect();
    Ok(format!("{before}{{\n{}\n{indent}}}{after}", lines.join(",\n")))
}

fn schema(parameter: &Parameter) -> Value {
    let Parameter { name, help, accepts, default, .. } = parameter;
    let later = if parameter.standing == Standing::Later { " Not used by this version yet." } else { "" };
    let default = if default.is_empty() { "none" } else { default };
    let mut schema = accepted(accepts);
    if let Some(words) = schema.get_mut("enum").and_then(Value::as_array_mut) {
        words.retain(|word| !NOT_OFFERED.iter().any(|(of, refused)| of == name && word == refused));
    }
    schema["description"] = format!("{help}{later} Values: {accepts}. Default: {default}.").into();
    schema
}

/// The schema of the values that a declaration describes in words. Whatever it does not recognise is a text, which the
/// server judges at its start.
fn accepted(words: &str) -> Value {
    if let Some((word, others)) = words.split_once(", or ").filter(|(word, _)| word.starts_with('`')) {
        let word = word.trim_matches('`');
        let number = word.parse::<u64>().ok().map(Value::from);
        let words: Vec<Value> = number.into_iter().chain([word.into()]).collect();
        return json!({ "anyOf": [{ "enum": words }, accepted(others)] });
    }
    if let Some((minimum, maximum)) =
        bounds(words, &["a number from ", "seconds, from ", "milliseconds, from "])
    {
        return json!({ "maximum": maximum, "minimum": minimum, "type": "integer" });
    }
    if let Some((minimum, maximum)) = bounds(words, &["a size from "]) {
        let bytes = json!({ "maximum": maximum, "minimum": minimum, "type": "integer" });
        return json!({ "anyOf": [bytes, { "pattern": "^[0-9]+ ?([KkMmGg]?[Bb])?$", "type": "string" }] });
    }
    match choices(words) {
        Some(choices) if choices == ["true", "false"] => json!({ "type": "boolean" }),
        // YAML reads a bare true, false, yes, no or off as a boolean.
        Some(choices) if choices.contains(&"true") => {
            json!({ "anyOf": [{ "type": "boolean" }, { "enum": choices }] })
        }
        Some(choices) => json!({ "enum": choices }),
        None => json!({ "minLength": 1, "type": "string" }),
    }
}

/// The two numbers behind one of these beginnings.
fn bounds(words: &str, beginnings: &[&str]) -> Option<(u64, u64)> {
    let range = beginnings.iter().find_map(|beginning| words.strip_prefix(beginning))?;
    let range = range.split(" (").next().unwrap_or(range);
    let (minimum, maximum) = range.split_once(" to ")?;
    Some((quantity(minimum)?, quantity(maximum)?))
}

/// A number, with a unit of bytes or without.
fn quantity(text: &str) -> Option<u64> {
    let (number, unit) = text.split_once(' ').unwrap_or((text, "B"));
    let unit = match unit {
        "B" => 0,
        "KB" => 10,
        "MB" => 20,
        "GB" => 30,
        _ => return None,
    };
    Some(number.parse::<u64>().ok()? << unit)
}

/// The words of `A, B or C`.
fn choices(words: &str) -> Option<Vec<&str>> {
    let (others, last) = words.rsplit_once(" or ")?;
    let choices: Vec<&str> = others.split(", ").chain([last]).collect();
    choices.iter().all(|word| !word.contains([' ', '`', ':'])).then_some(choices)
}

#[cfg(test)]
mod tests {
    use sterna_config::{ConfigError, Sources, load};

    use super::*;

    /// Whether the value alone is well-formed; it need not go together with the defaults of others.
    fn is_taken(name: &str, value: &Value) -> bool {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let sources = Sources { command_line: vec![format!("{name}={text}")], ..Sources::default() };
        let is_ill_formed = |error: &ConfigError| matches!(error, ConfigError::Value { .. });
        !load(&sources).err().into_iter().flatten().any(|error| is_ill_formed(&error))
    }

    /// What a schema allows at its edges, and one step beyond them.
    fn edges(schema: &Value) -> (Vec<Value>, Vec<Value>) {
        let (mut within, mut beyond) = (Vec::new(), Vec::new());
        let alternatives = schema["anyOf"].as_array().cloned().unwrap_or_else(|| vec![schema.clone()]);
        for schema in alternatives {
            within.extend(schema["enum"].as_array().into_iter().flatten().cloned());
            if let Some(maximum) = schema["maximum"].as_u64() {
                within.extend([schema["minimum"].clone(), maximum.into()]);
                beyond.push((maximum + 1).into());
            }
        }
        (within, beyond)
    }

    #[test]
    fn the_bounds_of_the_schema_are_those_of_the_server() {
        let mut judged = 0;
        for parameter in parameters().iter().filter(|parameter| parameter.standing != Standing::Ignored) {
            let (within, beyond) = edges(&accepted(&parameter.accepts));
            judged += within.len() + beyond.len();
            for value in &within {
                assert!(is_taken(parameter.name, value), "{} = {value}", parameter.name);
            }
            for value in &beyond {
                assert!(!is_taken(parameter.name, value), "{} = {value}", parameter.name);
            }
        }
        assert!(judged > 100, "{judged}");
    }

    /// Whether a schema takes a number as a number.
    fn takes(schema: &Value, number: u64) -> bool {
        let is_within = schema["minimum"].as_u64().is_some_and(|minimum| minimum <= number)
            && schema["maximum"].as_u64().is_some_and(|maximum| number <= maximum);
        let is_listed = schema["enum"].as_array().is_some_and(|listed| listed.contains(&number.into()));
        let alternatives = schema["anyOf"].as_array().into_iter().flatten();
        is_within || is_listed || alternatives.into_iter().any(|schema| takes(schema, number))
    }

    #[test]
    fn a_default_that_is_a_number_need_not_be_written_as_text() {
        let mut judged = Vec::new();
        for parameter in parameters().iter().filter(|parameter| parameter.standing != Standing::Ignored) {
            if let Ok(number) = parameter.default.parse() {
                assert!(takes(&accepted(&parameter.accepts), number), "{}", parameter.name);
                judged.push(parameter.name);
            }
        }
        assert!(judged.contains(&"MaxConnections") && judged.len() > 10, "{judged:?}");
    }

    #[test]
    fn values_are_recognised_by_their_description() {
        assert_eq!(accepted("true or false"), json!({ "type": "boolean" }));
        assert_eq!(accepted("text or json"), json!({ "enum": ["text", "json"] }));
        let integer = json!({ "maximum": 9, "minimum": 0, "type": "integer" });
        assert_eq!(accepted("seconds, from 0 to 9"), integer);
        assert_eq!(
            accepted("`never`, or seconds, from 0 to 9"),
            json!({ "anyOf": [{ "enum": ["never"] }, integer] })
        );
        assert_eq!(accepted("a path")["type"], "string");
        let size = accepted("a size from 16 KB to 1 GB (bytes, or KB, MB, GB)");
        assert_eq!(size["anyOf"][0], json!({ "maximum": 1 << 30, "minimum": 16 << 10, "type": "integer" }));
    }

    #[test]
    fn secrets_are_keys_and_what_is_not_the_users_is_left_out() {
        let schema = values_schema("{\n  \"a\": \"PARAMETERS\",\n  \"b\": \"SECRETS\"\n}\n").unwrap();
        let schema: Value = serde_json::from_str(&schema).unwrap();
        assert_eq!(schema["a"]["LogFormat"]["enum"], json!(["text", "json"]));
        let secrets = ["ClusterPassword", "ClusterPasswordFile", "LicenseKey"];
        for name in OF_THE_CHART.into_iter().chain(NOT_IN_A_POD).chain(secrets) {
            assert!(schema["a"][name].is_null(), "{name}");
        }
        assert_eq!(schema["a"]["Entitlement"]["enum"], json!(["None", "Basic", "JWT"]));
        assert_eq!(schema["b"]["ClusterPasswordFile"]["type"], "string");
        assert!(values_schema("{}").is_err());
    }

    #[test]
    fn what_the_schema_leaves_out_is_declared() {
        let words = NOT_OFFERED.map(|(name, _)| name);
        for name in OF_THE_CHART.into_iter().chain(NOT_IN_A_POD).chain(words) {
            assert!(parameters().iter().any(|parameter| parameter.name == name), "{name}");
        }
    }
}
