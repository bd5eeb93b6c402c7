"""nginx before several replicas: any request to any of them, and streams passed on at once."""

from collections.abc import Sequence
from pathlib import Path

from bench.processes import LOOPBACK

CONFIGURATION = """
daemon off;
worker_processes 1;
pid {folder}/proxy.pid;
error_log {folder}/proxy-errors.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/proxy-body;
    proxy_temp_path {folder}/proxy-temp;
    fastcgi_temp_path {folder}/proxy-fastcgi;
    uwsgi_temp_path {folder}/proxy-uwsgi;
    scgi_temp_path {folder}/proxy-scgi;
    keepalive_requests 100000000;
    client_max_body_size 4m;
    upstream replicas {{
{replicas}
        keepalive 64;
        keepalive_requests 100000000;
    }}
    server {{
        listen {address}:{port} backlog=1024;
        location / {{
            proxy_pass http://replicas;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_buffering off;
            proxy_read_timeout 300s;
        }}
    }}
}}
"""


def write_proxy_configuration(folder: Path, *, port: int, replicas: Sequence[int]) -> Path:
    """The file nginx is started with; no replica is preferred and no caller is pinned to one."""
    path = folder / "proxy.conf"
    servers = "\n".join(f"        server {LOOPBACK}:{replica};" for replica in replicas)
    path.write_text(
        CONFIGURATION.format(folder=folder, address=LOOPBACK, port=port, replicas=servers)
    )
    return path
