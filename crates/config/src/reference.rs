//! The reference page and the default file, made from the declarations.

use std::fmt::Write as _;

use crate::parameter::{Parameter, Reload, Standing, parameters};

const REFERENCE_HEAD: &str = "\
<!-- Written by `cargo xtask docs` from crates/config/src/declarations.rs; do not edit. -->

# Configuration

## How to write parameters

In a file, one `Name = value` a line. A line that begins with `#` is a comment; a value goes on in the next
line after a trailing `\\`. Names are written letter for letter, words such as `true` or `Guaranteed` in any
letter case. An unknown name or an ill-formed value is an error that says where it stands; all errors are
reported at once.

The file is the one that `--config` names; without it `sterna.conf` in the working directory, or else
`migratorydata.conf` there, if there is one.

Every parameter can also be given as `-DName=value` on the command line and in the environment:

| variable | content |
| --- | --- |
| `STERNA_OPTS` | `-DName=value` options between blanks, so without blanks in a value: `-DMemory=512MB` |
| `MIGRATORYDATA_EXTRA_OPTS` | the same |
| `MIGRATORYDATA_KAFKA_EXTRA_OPTS` | the same; names unknown here are properties of Kafka's own clients |
| `MIGRATORYDATA_MAX_DESCRIPTORS` | the value of `MaxDescriptors` |
| `MIGRATORYDATA_JAVA_EXTRA_OPTS` | accepted and ignored |
| `MIGRATORYDATA_JAVA_GC_OPTS` | accepted and ignored |
| `MIGRATORYDATA_JAVA_GC_LOG_OPTS` | accepted and ignored |

Precedence, weakest first: default, add-on files (`addons/kafka/*.properties`,
`addons/authorization-jwt/configuration.properties`), configuration file, `MIGRATORYDATA_MAX_DESCRIPTORS` and
`MIGRATORYDATA_KAFKA_EXTRA_OPTS`, `MIGRATORYDATA_EXTRA_OPTS`, `STERNA_OPTS`, command line. Within one source the
last one counts.

Sizes are bytes, or numbers with KB, MB or GB (1 KB is 1024 bytes). Options of the Java machine (`-X...`,
`-Djava.*`, `-Dlog4j*`, ...) are accepted and ignored.

A value that is a secret is never shown. It can be kept in a file of its own, named by the parameter with
`File` after its name.

*Reload* says when a changed value is taken up: at a restart, or at SIGHUP.
";

const DEFAULT_FILE_HEAD: &str = "\
# Configuration of Sterna, written from the declarations in the code.
#
# Every parameter stands here with its default; remove the `#` before its name to change it. A value goes on
# in the next line after a trailing backslash. The environment (STERNA_OPTS=\"-DName=value ...\") and the
# command line (-DName=value) override this file.
";

/// The reference page, Markdown.
#[must_use]
pub fn reference_markdown() -> String {
    let mut page = REFERENCE_HEAD.to_owned();
    for section in parameters().chunk_by(|left, right| left.section == right.section) {
        let _ = write!(page, "\n## {}\n\n", section[0].section);
        if section[0].standing == Standing::Ignored {
            page.push_str("| parameter | why |\n| --- | --- |\n");
        } else {
            page.push_str(
                "| parameter | default | values | reload | meaning |\n| --- | --- | --- | --- | --- |\n",
            );
        }
        for parameter in section {
            write_row(&mut page, parameter);
        }
    }
    page
}

fn write_row(page: &mut String, parameter: &Parameter) {
    let Parameter { name, default, accepts, help, .. } = parameter;
    if parameter.standing == Standing::Ignored {
        let _ = writeln!(page, "| `{name}` | {help} |");
        return;
    }
    let default = if default.is_empty() { "-".to_owned() } else { format!("`{default}`") };
    let reload = match parameter.reload {
        Reload::Restart => "restart",
        Reload::Hangup => "SIGHUP",
    };
    let aliases: Vec<_> = parameter.aliases.iter().map(|alias| format!("`{alias}`")).collect();
    let also = if aliases.is_empty() { String::new() } else { format!(" Also: {}.", aliases.join(", ")) };
    let later = if parameter.standing == Standing::Later { " *Not used by this version yet.*" } else { "" };
    let _ = writeln!(page, "| `{name}` | {default} | {accepts} | {reload} | {help}{also}{later} |");
}

/// The default file: every parameter with its help, commented out.
#[must_use]
pub fn default_file() -> String {
    let mut page = DEFAULT_FILE_HEAD.to_owned();
    let in_force: Vec<_> =
        parameters().iter().filter(|parameter| parameter.standing != Standing::Ignored).collect();
    for section in in_force.chunk_by(|left, right| left.section == right.section) {
        let _ = write!(page, "\n# ---- {} ----\n", section[0].section);
        for parameter in section {
            let Parameter { name, default, accepts, help, .. } = parameter;
            let later =
                if parameter.standing == Standing::Later { " Not used by this version yet." } else { "" };
            let blank = if default.is_empty() { "" } else { " " };
            page.push('\n');
            write_comment(&mut page, &format!("{help}{later}"));
            write_comment(&mut page, &format!("Values: {accepts}."));
            let _ = writeln!(page, "#{name} ={blank}{default}");
        }
    }
    page
}

/// Columns of a comment in the default file.
const COMMENT_COLUMNS: usize = 100;

/// Writes the text as comment lines, broken between words.
fn write_comment(page: &mut String, text: &str) {
    let mut line = "#".to_owned();
    for word in text.split(' ') {
        if line.len() + 1 + word.len() > COMMENT_COLUMNS {
            let _ = writeln!(page, "{line}");
            "#".clone_into(&mut line);
        }
        let _ = write!(line, " {word}");
    }
    let _ = writeln!(page, "{line}");
}
