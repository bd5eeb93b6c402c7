"""A real Prometheus that scrapes a running server with the shipped rules, and is asked by HTTP."""

import asyncio
import contextlib
import math
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import yaml

from observability.serving import free_port

RULES = Path(__file__).parents[2] / "deploy" / "prometheus" / "rules.yml"
START_SECONDS = 20.0
POLL_SECONDS = 0.1


@dataclass
class Prometheus:
    """The running server; `query` is its instant query."""

    url: str
    client: aiohttp.ClientSession

    async def query(self, expression: str) -> list[dict[str, Any]]:
        """The samples of an instant vector; a number that is none does not count as one."""
        async with self.client.get(
            f"{self.url}/api/v1/query", params={"query": expression}
        ) as response:
            body = await response.json()
        assert body["status"] == "success", (expression, body)
        return [
            sample for sample in body["data"]["result"] if not math.isnan(float(sample["value"][1]))
        ]

    async def value(self, expression: str) -> float:
        """The one value of an expression."""
        (sample,) = await self.query(expression)
        return float(sample["value"][1])

    async def series(self, selector: str) -> list[dict[str, str]]:
        """The labels of every series a selector has found so far."""
        async with self.client.get(
            f"{self.url}/api/v1/series", params={"match[]": selector}
        ) as response:
            body = await response.json()
        assert body["status"] == "success", (selector, body)
        return list(body["data"])

    async def rules(self) -> list[dict[str, Any]]:
        """The rules as Prometheus runs them, with the alerts that are active."""
        async with self.client.get(f"{self.url}/api/v1/rules") as response:
            body = await response.json()
        return [rule for group in body["data"]["groups"] for rule in group["rules"]]

    async def unanswered(
        self,
        expressions: Iterable[str],
        *,
        traffic: Callable[[], Awaitable[None]],
        within_seconds: float = 30.0,
    ) -> list[str]:
        """The expressions that still have no data when the time is up, with traffic going on."""
        waiting = list(expressions)
        deadline = time.monotonic() + within_seconds
        while waiting and time.monotonic() < deadline:
            await traffic()
            waiting = [one for one in waiting if not await self.query(one)]
            await asyncio.sleep(POLL_SECONDS)
        return waiting


@asynccontextmanager
async def prometheus_scraping(
    metrics_url: str, directory: Path, *, interval: str = "300ms", token: str = ""
) -> AsyncIterator[Prometheus]:
    """Prometheus with the shipped rules, scraping one URL, with its data in `directory`."""
    target = urlsplit(metrics_url)
    scrape: dict[str, Any] = {
        "job_name": "msil-mcp",
        "scheme": target.scheme,
        "metrics_path": target.path,
        "static_configs": [{"targets": [target.netloc]}],
    }
    if token:
        scrape["authorization"] = {"credentials": token}
    configuration = directory / "prometheus.yml"
    configuration.write_text(
        yaml.safe_dump(
            {
                "global": {
                    "scrape_interval": interval,
                    "scrape_timeout": interval,
                    "evaluation_interval": interval,
                },
                "rule_files": [str(RULES)],
                "scrape_configs": [scrape],
            }
        )
    )
    url = f"http://127.0.0.1:{free_port()}"
    log = directory / "prometheus.log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: ASYNC220 - started at once, and waited for in a thread
            [
                "prometheus",
                f"--config.file={configuration}",
                f"--storage.tsdb.path={directory / 'data'}",
                f"--web.listen-address={urlsplit(url).netloc}",
            ],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        async with aiohttp.ClientSession() as client:
            await _wait_until_ready(client, url, process, log)
            yield Prometheus(url, client)
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait, 20)


async def _wait_until_ready(
    client: aiohttp.ClientSession, url: str, process: subprocess.Popen[bytes], log: Path
) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, f"Prometheus ended; see {log}"
        with contextlib.suppress(aiohttp.ClientError):
            async with client.get(f"{url}/-/ready") as response:
                if response.status == 200:
                    return
        await asyncio.sleep(POLL_SECONDS)
    raise AssertionError(f"Prometheus is not ready; see {log}")
