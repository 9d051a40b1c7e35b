#!/bin/sh
# What the manifests of MigratoryData start. The server itself reads MIGRATORYDATA_EXTRA_OPTS; `exec` makes it the
# process that gets SIGTERM.
exec sterna serve
