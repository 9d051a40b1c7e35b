# What the stories share. A story runs inside the cluster, and ends with 1 when something is not as expected.
set -Eeuo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
image=10.40.0.1:5000/sterna:try
work=$FOLDER/state/log/$(basename "$0") # kept with the logs
mkdir "$work"

fail() {
    trap - ERR
    kubectl get nodes,pods --all-namespaces --output wide || true
    printf 'NOT AS EXPECTED: %s\n' "$*" >&2
    exit 1
}
trap 'fail "this command ended with $?: $BASH_COMMAND"' ERR

# Begins a step, and the time that `say` shows.
title() {
    printf '\n== %s (%s)\n' "$*" "$(date +%T)"
    mark
}
mark() { marked_ns=$(date +%s%N); }
say() {
    local ms=$((($(date +%s%N) - marked_ns) / 1000000))
    printf '%6d.%d s  %s\n' $((ms / 1000)) $((ms % 1000 / 100)) "$*"
    mark
}

# Runs a command that is in a document, and shows it.
show() {
    printf '$ %s\n' "$*"
    "$@"
}

# Repeats a command until it succeeds. The bound is far above what a busy machine needs.
await() {
    local deadline=$((SECONDS + 300))
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < deadline)) || fail "not seen within 300 s: $*"
        sleep 0.3
    done
}

# So many pods are there, and all of them are ready.
ready_pods() {
    local states
    states=$(kubectl get pods --no-headers | awk '{print $2, $3}')
    [ "$(grep -c . <<<"$states")" = "$1" ] && [ "$(grep -cx '1/1 Running' <<<"$states")" = "$1" ]
}

node_is() { kubectl get node "$1" --no-headers | grep -qE "^$1 +$2 "; }
node_of() { kubectl get pod "$1" --output jsonpath='{.spec.nodeName}'; }
nodes_used() { kubectl get pods --output jsonpath='{.items[*].spec.nodeName}' | tr ' ' '\n' | sort -u | wc -l; }

# The address that `balancer.py` gave a service.
find_address() {
    await eval "kubectl get service $1 --output jsonpath='{.status.loadBalancer.ingress[0].ip}' | grep -q ."
    address=$(kubectl get service "$1" --output jsonpath='{.status.loadBalancer.ingress[0].ip}')
}

# The welcome page comes, and what is published through the load balancer comes to a subscriber of each pod.
publish_and_subscribe() {
    local pod ip subscriber subscribers=()
    curl -sS --fail --max-time 60 "http://$address/" | grep -io '<title>[^<]*' || fail "no welcome page"
    for pod in "$@"; do
        ip=$(kubectl get pod "$pod" --output jsonpath='{.status.podIP}')
        sterna sub /stocks/IBM --server "$ip:8800" --count 1 --timeout 60 >"$work/$pod" &
        subscribers+=($!)
    done
    STERNA_TOKEN=$token sterna pub /stocks/IBM 142.5 --server "$address:80"
    for subscriber in "${subscribers[@]}"; do wait "$subscriber"; done
    for pod in "$@"; do [ "$(<"$work/$pod")" = 142.5 ] || fail "the subscriber of $pod got: $(<"$work/$pod")"; done
    say "published through the load balancer, and seen by a subscriber of each pod"
}

# load NAME [PERIOD_S] ... load_end: publishers and subscribers meanwhile; `load.py` judges what came.
load() {
    load_folder=$work/$1
    mkdir "$load_folder"
    python3 "$here/load.py" "$address:80" "$token" "$load_folder" "${2-0.02}" &
    load_process=$!
    await test -e "$load_folder/running"
    sleep 5
    mark
}
load_end() {
    sleep 10
    touch "$load_folder/end"
    wait "$load_process" || fail "messages are lost, repeated, reordered or not acknowledged; see above"
}
