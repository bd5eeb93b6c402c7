"""Making our server ready for a leg: import the document, publish it, issue a key."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.contenders import (
    OUR_COMMAND,
    Contender,
    Service,
    our_environment,
    our_service,
    peer_service,
)
from bench.databases import BACKINGS, Backing
from bench.processes import NotMeasured, free_port, plain_environment


@contextmanager
def prepared(
    contender: Contender, *, document: Path, folder: Path, python: Path | None
) -> Iterator[tuple[Service, Backing]]:
    """The service, ready to be started; what it keeps its data in goes afterwards."""
    if not contender.is_ours:
        if python is None:
            raise NotMeasured("the peers' environment is missing")
        service = peer_service(contender, document=document, python=python, port=free_port())
        yield service, Backing({})
        return
    port = free_port()
    with BACKINGS[contender.backing](folder) as backing:
        environment = our_environment(backing, port=port)
        if backing.database:
            _command(environment, "migrate")
        _command(
            environment, "import", str(document), "--bundle", "bench", "--publish",
            "--allow-private",
        )  # fmt: skip
        made = _command(environment, "keys", "create", "bench", "--role", "administrator", "--json")
        yield our_service(backing, port=port, key=json.loads(made)["token"]), backing


def _command(environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [*OUR_COMMAND, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=plain_environment(environment),
    )
    if done.returncode:
        reason = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise NotMeasured(f"msil-mcp {arguments[0]}: {' '.join(reason)[:300]}")
    return done.stdout
