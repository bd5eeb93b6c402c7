"""The API behind every server: nginx, answering from memory, echoing what it was asked."""

import shutil
import time
import urllib.request
from pathlib import Path

from bench.document import WITNESS
from bench.processes import LOOPBACK, NotMeasured, Started, free_port

RECORD = (
    '{"parcel_id":"%s","detail":"$arg_detail","witness":"' + WITNESS + '","state":"on_the_way",'
    '"depot":{"code":"D-17","town":"Pune"},"arrival":{"day":"2026-11-23","hour":"10:00"},'
    '"receiver":{"name":"A. Sample","phone":"9000000001"},'
    '"charge":{"amount":145.5,"currency":"INR"}}'
)
CONFIGURATION = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx-errors.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    default_type application/json;
    keepalive_requests 100000000;
    client_body_temp_path {folder}/nginx-body;
    proxy_temp_path {folder}/nginx-proxy;
    fastcgi_temp_path {folder}/nginx-fastcgi;
    uwsgi_temp_path {folder}/nginx-uwsgi;
    scgi_temp_path {folder}/nginx-scgi;
    server {{
        listen {address}:{port} backlog=1024;
        location = /served {{ stub_status; }}
        location ~ ^/parcels/(?<parcel>[^/]+)/track$ {{ return 200 '{measured}'; }}
        location / {{ return 200 '{other}'; }}
    }}
}}
"""


class Upstream:
    """nginx with one worker, pinned beside the load generator."""

    def __init__(self, folder: Path, *, cpus: set[int] | None) -> None:
        program = find_program("nginx", package="nginx-light")
        port = free_port()
        self.base_url = f"http://{LOOPBACK}:{port}"
        configuration = folder / "nginx.conf"
        configuration.write_text(
            CONFIGURATION.format(
                folder=folder,
                address=LOOPBACK,
                port=port,
                measured=RECORD % "$parcel",
                other=RECORD % "none",
            )
        )
        self.server = Started(
            [program, "-e", folder / "nginx-start.log", "-c", configuration],
            log=folder / "nginx.log",
            cpus=cpus,
        )
        self._wait()

    def served(self) -> int:
        """Requests answered so far, the one that asks included."""
        with urllib.request.urlopen(f"{self.base_url}/served", timeout=5) as answer:
            return int(answer.read().decode().splitlines()[2].split()[2])

    def stop(self) -> None:
        """End nginx."""
        self.server.stop()

    def _wait(self) -> None:
        deadline = time.monotonic() + 5
        while True:
            self.server.check_alive()
            try:
                self.served()
            except OSError:
                if time.monotonic() > deadline:
                    raise NotMeasured("nginx does not answer within 5 s") from None
                time.sleep(0.02)
            else:
                return


def find_program(name: str, *, package: str) -> str:
    """The program's path, /usr/sbin included; or what to install."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/sbin")
    if found is None:
        raise NotMeasured(
            f"{name} is not installed; on Debian and Ubuntu: apt-get install {package}"
        )
    return found
