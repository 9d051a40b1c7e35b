#!/bin/sh
# What the manifests of MigratoryData start. The server itself reads MIGRATORYDATA_EXTRA_OPTS; `exec` makes it the
# process that gets SIGTERM.
if [ -n "$MIGRATORYDATA_JAVA_EXTRA_OPTS" ]; then
    echo "MIGRATORYDATA_JAVA_EXTRA_OPTS is ignored: there is no Java machine here"
fi
exec sterna serve
