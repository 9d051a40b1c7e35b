# What the parts of the story share. A part runs inside the machine, and ends with 1 when something is not as expected.
set -Eeuo pipefail
files=/srv/files
work=/var/lib/story
unit=sterna.service
configuration=/etc/sterna/sterna.conf
subscriber=

fail() {
    trap - ERR
    systemctl status --lines=0 "$unit" || true
    journalctl --unit "$unit" --lines=30 || true
    printf 'NOT AS EXPECTED: %s\n' "$*"
    exit 1
}
trap 'fail "this command ended with $?: $BASH_COMMAND"' ERR
trap '[ -z "$subscriber" ] || kill "$subscriber" 2>/dev/null || true' EXIT

# A person's terminal, which some commands want.
at_terminal() { "$@" </dev/ttyS1 >/dev/ttyS1 2>&1; }

# Begins a step, and the time that `say` shows.
title() {
    printf '\n== %s (%s)\n' "$*" "$(date +%T)"
    mark
}
now_ms() { awk '{printf "%d", $1 * 1000}' /proc/uptime; } # the clock of the machine may be changed, this one not
mark() { marked_ms=$(now_ms); }
passed_ms() { echo $(($(now_ms) - marked_ms)); }
say() {
    local ms
    ms=$(passed_ms)
    printf '%6d.%02d s  %s\n' $((ms / 1000)) $((ms % 1000 / 10)) "$*"
    mark
}

# Runs a command that is in a document, and shows it.
show() {
    printf '$ %s\n' "$*"
    "$@" || fail "this command ended with $?: $*"
}

# Repeats a command until it succeeds. The bound is far above what a busy machine needs.
await() {
    local deadline=$((SECONDS + 300))
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < deadline)) || fail "not seen within 300 s: $*"
        sleep 0.1
    done
}

is() { # WHAT SEEN EXPECTED
    [ "$2" = "$3" ] || fail "$1 is: $2; expected: $3"
    printf '          %s: %s\n' "$1" "${2:-(empty)}"
}
status_of() { # the exit code of a command, whose words go to $work/words
    local status=0
    "$@" >"$work/words" 2>&1 || status=$?
    echo "$status"
}
has() { grep -qE -- "$2" "$1" || fail "no line with \"$2\" in $1: $(tail -n 5 "$1")"; }
has_not() { ! grep -E -- "$2" "$1" || fail "$1 has a line with \"$2\""; }
count() { grep -cE -- "$2" "$1" || true; }
mode_of() { stat --format='%a %U:%G' "$1"; }

property() { systemctl show --property "$1" --value "$unit"; }
pid_of() { property MainPID; }
is_active() { [ "$(systemctl is-active "$unit")" = active ]; }
runs_anew() { is_active && [ "$(pid_of)" != "$1" ]; } # as another process than PID
in_force() { is "$unit" "$(systemctl is-active "$unit" || true), $(systemctl is-enabled "$unit" || true)" "$1"; }
# What the server has said since it was started last, into $work/said.
said() { journalctl --output=cat "_SYSTEMD_INVOCATION_ID=$(property InvocationID)" >"$work/said"; }
has_said() { said && grep -qE -- "$1" "$work/said"; }

http() { curl --silent --show-error --output "$work/page" --write-out '%{http_code}' --max-time 60 "$@"; }
epoch() { curl --silent --fail http://127.0.0.1:9900/metrics | sed -n 's/^sterna_epoch[^ ]* //p'; }
remembered() { cat /var/lib/sterna/coordination_logs/lineage-single-server; }
is_remembered() { [ -n "$(epoch)" ] && [ "$(remembered)" = "$(epoch)" ]; }
# The epoch is higher than the last one that was looked at, and the server has written it down.
epoch_is_higher() {
    local before now
    before=$(cat "$work/epoch" 2>/dev/null || echo 0)
    await is_remembered
    now=$(epoch)
    ((now > before)) || fail "the epoch is $now; it was $before"
    echo "$now" >"$work/epoch"
    printf '          epoch: %s, after %s\n' "$now" "$before"
}
# After a start of the machine: the service is up without our help.
came_back() {
    is "the system" "$(systemctl is-system-running --wait || true)" running
    in_force "active, enabled"
    is "starts again" "$(property NRestarts)" 0
    is "/health/ready" "$(http http://localhost:8800/health/ready)" 200
    takes_token second-token
    epoch_is_higher
}

publish() { # TOKEN CONTENT [OPTION...]
    STERNA_TOKEN=$1 sterna pub /try/prices "$2" --timeout 60 "${@:3}"
}
takes_token() { is "exit code with the token $1" "$(status_of publish "$1" "by $1")" 0; }
refuses_token() { is "exit code with the token $1" "$(status_of publish "$1" never)" 3; }

# A subscriber, whose messages come into $work/came, and what happens to it into $work/happened.
subscribe() { # [OPTION...] one at a time
    sterna sub /try/prices --verbose "$@" >"$work/came" 2>"$work/happened" &
    subscriber=$!
    await grep -q ' fresh at ' "$work/happened"
}
unsubscribe() {
    kill "$subscriber"
    wait "$subscriber" || true
    subscriber=
}
# It is connected, and gets what is published now.
subscriber_gets() { # TOKEN CONTENT
    publish "$1" "$2"
    await grep -qx "$2" "$work/came"
}

# How the service ended: by itself, in order.
has_ended_well() {
    is "result of the end" "$(property Result), code $(property ExecMainCode), status $(property ExecMainStatus)" \
        "success, code 1, status 0"
    await has_said ' stopped$'
    has "$work/said" ' draining'
}
set_token() { # keeps the file's owner and mode
    sed -i "s/^#*EntitlementAllowToken = .*/EntitlementAllowToken = $1/" "$configuration"
    grep -qx "EntitlementAllowToken = $1" "$configuration"
}
