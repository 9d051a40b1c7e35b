#!/usr/bin/env bash
# The Debian package holds what docs/runbook/systemd.md says, and the server runs as the unit starts it. Needs root, and
# from Debian: dpkg-dev, systemd (not running), curl, iproute2, util-linux.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
root=$folder/root
fail() { echo "package_test: $*" >&2 && exit 1; }

rm -rf "${CARGO_TARGET_DIR:-target}/debian"
deploy/debian/build
package=$(echo "${CARGO_TARGET_DIR:-target}"/debian/*.deb)
dpkg-deb --extract "$package" "$root"
dpkg-deb --control "$package" "$folder/control"

(cd "$root" && find . -type f -printf '%m %P\n' | sort -k 2) >"$folder/files"
diff - "$folder/files" <<'FILES' || fail "these files are not those of the documents"
644 etc/default/sterna
640 etc/sterna/sterna.conf
755 usr/bin/sterna
644 usr/lib/systemd/system/sterna.service
644 usr/lib/sysusers.d/sterna.conf
644 usr/share/doc/sterna/copyright
644 usr/share/sterna/sterna.cdx.json
FILES
diff <(sort "$folder/control/conffiles") - <<'FILES' || fail "an upgrade would overwrite what somebody has changed"
/etc/default/sterna
/etc/sterna/sterna.conf
FILES
# An upgrade restarts what runs (`try-restart`); nothing else starts a server whose token is public.
! grep -q 'deb-systemd-invoke start' "$folder/control/postinst" || fail "the installation starts the server"
cmp sterna.conf "$root/etc/sterna/sterna.conf"
awk '/systemd-sysusers/ { user = 1 } /chgrp sterna .*sterna.conf/ { group = user } END { exit !group }' "$folder/control/postinst" ||
    fail "the server could not read its configuration"
grep -q '^ *rm -rf /var/lib/sterna /var/log/sterna$' "$folder/control/postrm" ||
    fail "a purge leaves what the server has written"

# The unit: no unknown words; as few rights as its comments say; the user that it names.
unit=$root/usr/lib/systemd/system/sterna.service
sed "s|=/usr/bin/sterna|=$root/usr/bin/sterna|" "$unit" >"$folder/sterna.service"
verdict=$(systemd-analyze verify "$folder/sterna.service" 2>&1) && [ -z "$verdict" ] || fail "$verdict"
systemd-analyze security --offline=true --threshold=20 "$unit" >"$folder/exposure" || fail "$(tail -1 "$folder/exposure")"
systemd-sysusers --root="$root" sterna.conf
grep -q '^sterna:' "$root/etc/passwd" || fail "there is no user sterna"

# The server as the unit starts it, on a network of its own, with a parameter in the default file.
command=$(sed -n 's/^ExecStart=//p' "$unit")
command=${command/ \/etc/ $root\/etc}
sed -i 's/^#STERNA_OPTS=.*/STERNA_OPTS="-DListen=127.0.0.1:8899"/' "$root/etc/default/sterna"
export root command
unshare --net --pid --fork --kill-child bash -euo pipefail <<'SCRIPT' >"$folder/log" 2>&1 || fail "$(tail -20 "$folder/log")"
ip link set lo up
set -a
. "$root/etc/default/sterna"
set +a
$root$command &
server=$!
for _ in $(seq 600); do
    curl --silent --fail --output /dev/null http://127.0.0.1:8899/health/ready && break
    sleep 0.1
done
curl --silent --fail --output /dev/null http://127.0.0.1:8899/health/ready
kill -TERM "$server"
wait "$server"
SCRIPT
echo "$(basename "$package"): $(stat --format=%s "$package") bytes"
