# Debian packages of the programs the suite drives; sourced by .ci/run.

# Package of each program; only those whose program is absent are installed.
missing_packages() {
    command -v make >/dev/null || echo make
    python3 -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
    command -v node >/dev/null || echo nodejs
    command -v npm >/dev/null || echo npm
    command -v chromium >/dev/null || echo chromium
    command -v pg_ctlcluster >/dev/null && command -v pg_lsclusters >/dev/null &&
        compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || echo postgresql
    command -v psql >/dev/null || echo postgresql-client
    command -v redis-server >/dev/null || echo redis-server
    command -v redis-cli >/dev/null || echo redis-tools
    command -v prometheus >/dev/null && command -v promtool >/dev/null || echo prometheus
    command -v nginx >/dev/null || echo nginx-light
}

install_missing() {
    local packages
    mapfile -t packages < <(missing_packages)
    ((${#packages[@]})) || return 0
    if ((EUID != 0)); then
        echo "Not root, so install these first: ${packages[*]}" >&2
        return 1
    fi
    echo "Installing ${packages[*]}"
    # The tests start their own nginx and Prometheus; Debian's services must stay down.
    local policy=/usr/sbin/policy-rc.d made=
    if [[ ! -e $policy ]]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
        made=$policy
    fi
    local status=0
    apt_install "${packages[@]}" || { quietly apt-get update && apt_install "${packages[@]}"; } ||
        status=$?
    if [[ -n $made ]]; then rm -f "$made"; fi
    return "$status"
}

apt_install() {
    quietly apt-get install --yes --no-install-recommends -o Dpkg::Options::=--force-confold "$@"
}

# Output only when it failed.
quietly() {
    local log status=0
    log=$(mktemp)
    "$@" >"$log" 2>&1 || status=$?
    if ((status)); then tail -n 30 "$log" >&2; fi
    rm -f "$log"
    return "$status"
}
