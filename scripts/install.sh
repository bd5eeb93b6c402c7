#!/bin/sh
# Installs a lock and this project into .venv; every download is checked against its hash.
set -eu

# uv takes a second where pip takes twenty, but it reads no pip.conf: where a package index is
# configured only there, pip installs the same.
install() {
    .venv/bin/uv pip install --quiet --system-certs --python .venv/bin/python "$@" ||
        .venv/bin/pip install --quiet --disable-pip-version-check "$@"
}

install --require-hashes -r "$1"
# Without isolation: the build backend is in .venv already, from its own lock.
install --no-deps --no-build-isolation -e .
