#!/bin/sh
# Builds the web apps where Node is at hand; the server runs without them and says how to get them.
set -eu

[ -f web/package-lock.json ] || exit 0
if ! command -v npm >/dev/null || ! node -e '
    const [major, minor] = process.versions.node.split(".").map(Number);
    process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1)'; then
    echo "The web pages are left out: they are built with Node 20.19 or newer and npm." >&2
    exit 0
fi
exec "${MAKE:-make}" web
