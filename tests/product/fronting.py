"""nginx before several servers, without stickiness, and who tells it which of them want requests.

What a cluster does with `/ready`, a thread does here: it asks every server, and nginx reads its
list again when an answer changes.
"""

import signal
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from product.processes import ServerProcess
from running import free_port

ASKED_EVERY = 0.1
CONFIGURATION = """
daemon off;
worker_processes 1;
pid {folder}/front.pid;
error_log {folder}/front.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/front-body;
    proxy_temp_path {folder}/front-proxy;
    fastcgi_temp_path {folder}/front-fastcgi;
    uwsgi_temp_path {folder}/front-uwsgi;
    scgi_temp_path {folder}/front-scgi;
    upstream servers {{
{servers}
    }}
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        location / {{
            proxy_pass http://servers;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_buffering off;
            proxy_read_timeout 60s;
        }}
    }}
}}
"""


class Front:
    """nginx, and the servers it may choose from; `answers` holds what each said, in order."""

    def __init__(self, nginx: str, folder: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.answers: dict[str, list[int | None]] = {}
        self._nginx = nginx
        self._folder = folder
        self._servers: list[ServerProcess] = []
        self._listed: list[str] = []
        self._changed = threading.Condition()
        self._ended = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def start(self, servers: list[ServerProcess]) -> None:
        self._servers = list(servers)
        self._list([server.url for server in servers])
        command = [self._nginx, "-c", str(self._folder / "front.conf"), "-p", str(self._folder)]
        self._process = subprocess.Popen([*command, "-e", str(self._folder / "front.log")])
        ServerProcess(self.url, self._process, self._folder / "front.log").wait_until_ready()
        self._watcher.start()

    def add(self, server: ServerProcess) -> None:
        """Ask this one as well, and wait until it is given requests."""
        self._servers.append(server)
        self.wait_until_listed(server, listed=True)

    def wait_until_listed(self, server: ServerProcess, *, listed: bool) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: (server.url in self._listed) == listed, 30), (
                self.answers
            )

    def close(self) -> None:
        self._ended.set()
        self._watcher.join(10)
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)

    def _watch(self) -> None:
        while not self._ended.wait(ASKED_EVERY):
            ready = [server.url for server in self._servers if self._is_ready(server)]
            if ready != self._listed and ready and self._process is not None:
                self._list(ready)
                self._process.send_signal(signal.SIGHUP)

    def _is_ready(self, server: ServerProcess) -> bool:
        try:
            with urllib.request.urlopen(f"{server.url}/ready", timeout=5) as answer:
                status: int | None = answer.status
        except urllib.error.HTTPError as error:
            with error:
                status = error.code
        except OSError:
            status = None
        said = self.answers.setdefault(server.url, [])
        if said[-1:] != [status]:
            said.append(status)
        return status == 200

    def _list(self, urls: list[str]) -> None:
        lines = "\n".join(f"        server {urlsplit(url).netloc} max_fails=0;" for url in urls)
        (self._folder / "front.conf").write_text(
            CONFIGURATION.format(folder=self._folder, port=self.port, servers=lines)
        )
        with self._changed:
            self._listed = urls
            self._changed.notify_all()


@contextmanager
def fronted(nginx: str, folder: Path, servers: list[ServerProcess]) -> Iterator[Front]:
    """nginx before the servers, ended with everything it started."""
    front = Front(nginx, folder)
    try:
        front.start(servers)
        yield front
    finally:
        front.close()
