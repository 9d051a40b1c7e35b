//! Where values come from: precedence, variables, files of their own; and what is said about mistakes.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::Duration;

use sterna_config::{ConfigError, Entitlement, Loaded, Origin, SourceFile, Sources, load, print};
use sterna_model::DeliveryMode;

use crate::short::{errors, file, loaded};

fn environment(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn from_environment(pairs: &[(&str, &str)]) -> Result<Loaded, Vec<ConfigError>> {
    load(&Sources { environment: environment(pairs), ..Default::default() })
}

fn origin(loaded: &Loaded, name: &str) -> Origin {
    let mut named = loaded.provenance.iter().filter(|effective| effective.parameter.name == name);
    named.next().expect("every parameter is there").origin.clone()
}

#[test]
fn nothing_given_is_a_configuration_too() {
    let loaded = load(&Sources::default()).unwrap();
    assert_eq!(loaded.notes, []);
    assert!(loaded.config.uses_default_token());
    assert_eq!(loaded.config.limits.memory_bytes, 512 << 20);
    assert_eq!(loaded.config.listen.plain[0].to_string(), "*:8800");
    assert_eq!(loaded.config.monitor.prometheus.unwrap().listen.to_string(), "127.0.0.1:9900");
    assert_eq!(loaded.config.monitor.http, None);
    assert_eq!(loaded.config.batching, None);
    assert_eq!(loaded.config.delivery_mode, DeliveryMode::Guaranteed);
}

#[test]
fn a_stronger_source_takes_the_place_of_a_weaker_one() {
    let mut sources = Sources {
        jwt_properties: Some(SourceFile { path: "jwt".into(), text: "CacheExpireTime = 10".into() }),
        ..file("CacheExpireTime = 20")
    };
    let expect = |sources: &mut Sources, seconds: u64, place: Origin| {
        let loaded = load(sources).unwrap();
        assert_eq!(loaded.config.cache.expire_time, Duration::from_secs(seconds));
        assert_eq!(origin(&loaded, "CacheExpireTime"), place);
    };
    expect(&mut sources, 20, Origin::File { path: "sterna.conf".into(), line: 1 });
    sources.environment.insert("MIGRATORYDATA_EXTRA_OPTS".into(), "-DCacheExpireTime=30".into());
    expect(&mut sources, 30, Origin::Environment("MIGRATORYDATA_EXTRA_OPTS"));
    sources.environment.insert("STERNA_OPTS".into(), "-DCacheExpireTime=40".into());
    expect(&mut sources, 40, Origin::Environment("STERNA_OPTS"));
    sources.command_line.push("CacheExpireTime=50".into());
    expect(&mut sources, 50, Origin::CommandLine);
    sources.file = None;
    sources.environment.clear();
    sources.command_line.clear();
    expect(&mut sources, 10, Origin::File { path: "jwt".into(), line: 1 });
}

#[test]
fn the_environment_of_the_kubernetes_tutorial_is_accepted() {
    // As the manifest gives it (line breaks folded by YAML, or kept), and as its script goes on.
    let folded = "-DMemory=128MB -DClusterDeliveryMode=Guaranteed -DLogLevel=INFO -DX.ConnectionOffload=true \
                  -DClusterSeedMemberCount=3";
    let literal = "-DMemory=128MB \\\n                -DClusterDeliveryMode=Guaranteed \\\n                \
                   -DLogLevel=INFO \\\n                -DX.ConnectionOffload=true \\\n                \
                   -DClusterSeedMemberCount=3";
    let member =
        |index: usize| format!("migratorydata-{index}.migratorydata-hs.migratory.svc.cluster.local:8801");
    let members: Vec<_> = (0..5).map(member).collect();
    for start in [folded, literal] {
        let options =
            format!("{start} -DClusterMemberListen={} -DClusterMembers={}", member(0), members.join(","));
        let java = "-XX:+UnlockExperimentalVMOptions -XX:+UseCGroupMemoryLimitForHeap";
        let loaded = from_environment(&[
            ("MIGRATORYDATA_EXTRA_OPTS", &options),
            ("MIGRATORYDATA_JAVA_EXTRA_OPTS", java),
            ("MIGRATORYDATA_CS_SERVICE_HOST", "10.0.0.1"),
        ])
        .unwrap();
        assert_eq!(loaded.config.limits.memory_bytes, 128 << 20);
        assert_eq!(loaded.config.delivery_mode, DeliveryMode::Guaranteed);
        assert_eq!(loaded.config.cluster.members.len(), 5);
        assert_eq!(loaded.config.cluster.seed_member_count, Some(3));
        assert!(loaded.notes.iter().any(|note| note.parameter == "MIGRATORYDATA_JAVA_EXTRA_OPTS"));
    }
}

#[test]
fn java_options_among_ours_are_noted_and_ignored() {
    let options = "-Dlog4j.configurationFile=addons/log4j2.xml -XX:NewSize=48000m -verbosegc -DMemory=1GB";
    let loaded = from_environment(&[("MIGRATORYDATA_EXTRA_OPTS", options)]).unwrap();
    assert_eq!(loaded.config.limits.memory_bytes, 1 << 30);
    let noted: Vec<_> = loaded.notes.iter().map(|note| note.parameter.as_str()).collect();
    assert_eq!(noted, ["log4j.configurationFile", "-XX:NewSize=48000m", "-verbosegc"]);
}

#[test]
fn the_variable_for_descriptors_is_weaker_than_the_parameter() {
    let variable = ("MIGRATORYDATA_MAX_DESCRIPTORS", " 20000 ");
    assert_eq!(from_environment(&[variable]).unwrap().config.process.descriptors_max, 20_000);
    let both = from_environment(&[variable, ("STERNA_OPTS", "-DMaxDescriptors=3000")]).unwrap();
    assert_eq!(both.config.process.descriptors_max, 3000);
}

#[test]
fn names_unknown_here_are_kafkas_own_only_where_kafka_is_configured() {
    let loaded = from_environment(&[(
        "MIGRATORYDATA_KAFKA_EXTRA_OPTS",
        "-Dbootstrap.servers=kafka:9092 -Dtopics=server -Dsasl.jaas.config=hush",
    )])
    .unwrap();
    assert_eq!(loaded.config.kafka.topics, ["server"]);
    assert_eq!(loaded.config.kafka_properties["sasl.jaas.config"].expose(), "hush");
    assert!(!format!("{loaded:?}").contains("hush"));
    assert!(from_environment(&[("MIGRATORYDATA_EXTRA_OPTS", "-Dsasl.jaas.config=hush")]).is_err());
}

#[test]
fn all_mistakes_are_reported_at_once_each_with_its_place() {
    let sources = Sources {
        environment: environment(&[("STERNA_OPTS", "-DClusterMember=a:1 stray")]),
        command_line: vec!["LogLevel=LOUD".into(), "Memory".into()],
        ..file("# head\nmemory = 1GB\nMaxMessageSize = 12 XB\n\nListen\nQuux17 = 1")
    };
    let errors: Vec<_> = load(&sources).unwrap_err().iter().map(ConfigError::to_string).collect();
    assert_eq!(
        errors,
        [
            "sterna.conf:2: unknown parameter \"memory\"; did you mean Memory?",
            "sterna.conf:5: expected Name = value, found \"Listen\"",
            "sterna.conf:6: unknown parameter \"Quux17\"",
            "environment variable STERNA_OPTS: unknown parameter \"ClusterMember\"; \
             did you mean ClusterMembers?",
            "environment variable STERNA_OPTS: expected -DName=value (without blanks in the value), \
             found \"stray\"",
            "command line: expected -DName=value, found \"Memory\"",
            "sterna.conf:3: MaxMessageSize = \"12 XB\": \
             expected a size from 1 B to 3 MB (bytes, or KB, MB, GB)",
            "command line: LogLevel = \"LOUD\": expected TRACE, DEBUG, INFO, WARN or ERROR",
        ]
    );
}

#[test]
fn a_parameter_given_twice_in_one_file_is_noted() {
    let loaded = loaded("Workgroups = 2\nCacheExpireTime = 5\nIoThreads = 4");
    assert_eq!(loaded.config.process.io_threads, Some(4));
    assert_eq!(
        loaded.notes[0].to_string(),
        "IoThreads (sterna.conf:3): given twice, also at sterna.conf:1; this one counts"
    );
}

fn secrets(path: &Path) -> io::Result<String> {
    match path.to_str() {
        Some("/run/secrets/token") => Ok("hush-token\n".to_owned()),
        Some("/run/secrets/empty") => Ok("\n".to_owned()),
        _ => Err(io::Error::new(io::ErrorKind::NotFound, "no such file")),
    }
}

#[test]
fn a_secret_is_read_from_its_own_file_and_never_shown() {
    let sources = Sources {
        read_file: secrets,
        ..file("EntitlementAllowTokenFile = /run/secrets/token\nClusterPassword = hush-password")
    };
    let loaded = load(&sources).unwrap();
    assert!(
        matches!(&loaded.config.entitlement, Entitlement::Basic { token } if token.expose() == "hush-token")
    );
    assert!(!loaded.config.uses_default_token());
    assert_eq!(origin(&loaded, "EntitlementAllowToken"), Origin::SecretFile("/run/secrets/token".to_owned()));
    for shown in [format!("{loaded:?}"), print(&loaded)] {
        assert!(!shown.contains("hush"), "{shown}");
    }
}

#[test]
fn a_secret_file_that_cannot_be_used_is_an_error() {
    for (path, reason) in [("/run/secrets/none", "no such file"), ("/run/secrets/empty", "the file is empty")]
    {
        let sources = Sources { read_file: secrets, ..file(&format!("EntitlementAllowTokenFile = {path}")) };
        let errors = load(&sources).unwrap_err();
        assert_eq!(errors.len(), 1);
        assert_eq!(errors[0].to_string(), format!("sterna.conf:1: EntitlementAllowToken: {path}: {reason}"));
    }
    assert_eq!(
        errors("EntitlementAllowToken = a\nEntitlementAllowTokenFile = b"),
        ["give either EntitlementAllowToken or EntitlementAllowTokenFile, not both \
          (EntitlementAllowToken: sterna.conf:1; EntitlementAllowTokenFile: sterna.conf:2)"]
    );
}

#[test]
fn an_ill_formed_secret_is_not_shown() {
    assert_eq!(
        errors("Jwt.HmacSecret = hush!"),
        ["sterna.conf:1: Jwt.HmacSecret = (set): expected base64 of 32 to 1024 bytes"]
    );
}

#[test]
fn the_effective_configuration_names_the_place_of_each_value() {
    let page = print(&loaded("Memory = 128MB\nClusterPassword = hush"));
    let line = |name: &str| {
        let line = page.lines().find(|line| line.split_whitespace().next() == Some(name)).unwrap();
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("Memory"), "Memory = 128MB (from sterna.conf:1)");
    assert_eq!(line("ClusterPassword"), "ClusterPassword = (set) (from sterna.conf:2)");
    assert_eq!(line("EntitlementAllowToken"), "EntitlementAllowToken = (set) (default)");
    assert_eq!(line("CacheExpireTime"), "CacheExpireTime = 180 (default)");
    assert_eq!(line("TlsKey"), "TlsKey = - (default)");
}

#[test]
fn loading_again_tells_what_needs_a_restart() {
    let old = loaded("Memory = 1 GB\nLogLevel = INFO");
    let new = loaded("Memory = 2 GB\nLogLevel = DEBUG\nDrainTime = 1");
    assert_eq!(old.restart_needed_for(&new), ["DrainTime", "Memory"]);
}
