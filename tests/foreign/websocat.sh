#!/usr/bin/env bash
# The session by hand of docs/protocol/native-v1.md, typed into websocat line by line.
set -euo pipefail

# Types a line.
say() { printf '%s\n' "$1" >&"${SOCKET[1]}"; }
# Reads a line, which must contain each of the given texts.
hear() {
    local text
    IFS= read -r -t 10 line <&"${SOCKET[0]}" || { echo "nothing came, but expected: $*" >&2; exit 1; }
    for text in "$@"; do
        [[ $line == *"$text"* ]] || { echo "expected $text in: $line" >&2; exit 1; }
    done
    echo "< $line"
}
open() { coproc SOCKET { exec websocat --text "ws://$STERNA_ADDRESS/"; }; }
# Ends websocat's input, and with it the session.
leave() {
    local process=$SOCKET_PID
    exec {SOCKET[1]}>&-
    wait "$process"
}

open
say "{\"op\":\"connect\",\"token\":\"$TOKEN\",\"client\":\"by-hand\"}"
hear '"op":"connected"' '"version":1' '"delivery":"guaranteed"' '"message_bytes_max":65536'
say '{"op":"subscribe","id":1,"subjects":["/demo/ibm"]}'
hear '"op":"subscribed"' '"id":1' '"subject":"/demo/ibm"' '"recovery":"fresh"'
epoch=$(sed 's/.*"epoch":\([0-9]*\).*/\1/' <<<"$line")
say '{"op":"publish","id":2,"subject":"/demo/ibm","content":"142.5","closure":"first"}'
hear '"closure":"first"'
hear '"closure":"first"'
say '{"op":"publish","id":3,"subject":"demo","content":"x"}'
hear '"op":"published"' '"id":3' '"status":"FAILED"' '"code":4007' "a subject begins with '/'"
say 'not JSON'
hear '"op":"error"' '"code":4000'
leave

open
say "{\"op\":\"connect\",\"token\":\"$TOKEN\"}"
hear '"op":"connected"'
for content in 142.6 142.7; do
    say "{\"op\":\"publish\",\"id\":1,\"subject\":\"/demo/ibm\",\"content\":\"$content\"}"
    hear '"status":"OK"'
done
say "{\"op\":\"subscribe\",\"id\":1,\"subjects\":[{\"subject\":\"/demo/ibm\",\"epoch\":$epoch,\"seq\":1}]}"
hear '"recovery":"complete"' '"seq":3'
hear '"type":"recovered"' '"seq":2' '"content":"142.6"'
hear '"type":"recovered"' '"seq":3' '"content":"142.7"'
leave
echo "websocat: a session by hand, and a complete resume"
