# PostgreSQL and Redis on their usual loopback ports; sourced by .ci/run.

wait_until() {
    local what=$1 _
    shift
    for _ in {1..150}; do
        if "$@" >/dev/null 2>&1; then return 0; fi
        sleep 0.2
    done
    echo "$what does not answer" >&2
    return 1
}

postgresql_answers() { pg_isready --quiet --host 127.0.0.1 --port 5432; }
postgresql_trusts() {
    psql --no-password --no-psqlrc --host 127.0.0.1 --username postgres --command 'SELECT 1' \
        >/dev/null 2>&1
}

# "15 main" and the like; nothing when no cluster is meant for the port.
cluster_on_port() { pg_lsclusters --no-header | awk '$3 == 5432 {print $1, $2; exit}'; }

start_postgresql() {
    local version name
    if ! postgresql_answers; then
        if [[ -z $(cluster_on_port) ]]; then
            version=$(ls /usr/lib/postgresql | sort --version-sort | tail -n 1)
            pg_createcluster --port 5432 "$version" msil >/dev/null
        fi
        read -r version name < <(cluster_on_port)
        pg_ctlcluster --skip-systemctl-redirect "$version" "$name" start
        wait_until PostgreSQL postgresql_answers
    fi
    postgresql_trusts || trust_loopback
    enough_connections
}

# Every test worker runs several servers at once, each with a pool of its own.
enough_connections() {
    local version name
    (($(ask 'SHOW max_connections') >= 200)) && return 0
    read -r version name < <(cluster_on_port) || true
    if ((EUID != 0)) || [[ -z ${name:-} ]]; then return 0; fi
    ask 'ALTER SYSTEM SET max_connections = 300' >/dev/null
    pg_ctlcluster --skip-systemctl-redirect "$version" "$name" restart -m fast
    wait_until PostgreSQL postgresql_trusts
}

ask() { psql --no-password --no-psqlrc -h 127.0.0.1 -U postgres -Atc "$1"; }

# The suite makes and drops databases as the superuser of this machine's own server.
trust_loopback() {
    local version name config
    read -r version name < <(cluster_on_port) || true
    config=/etc/postgresql/$version/$name/pg_hba.conf
    if ((EUID != 0)) || [[ ! -f $config ]]; then
        echo "PostgreSQL on 127.0.0.1:5432 must let the role postgres in without a password" >&2
        return 1
    fi
    sed -i '1i host all postgres 127.0.0.1/32 trust' "$config"
    pg_ctlcluster --skip-systemctl-redirect "$version" "$name" reload
    wait_until "PostgreSQL, as the role postgres," postgresql_trusts
}

redis_answers() { [[ $(redis-cli -h 127.0.0.1 -p 6379 ping 2>/dev/null) == PONG ]]; }

start_redis() {
    redis_answers && return 0
    redis-server --bind 127.0.0.1 --port 6379 --save '' --appendonly no --dir /tmp \
        --daemonize yes >/dev/null 2>&1
    wait_until Redis redis_answers
}
