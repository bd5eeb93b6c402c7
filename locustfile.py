"""A hundred users, a thousand requests a minute: assistants, programs and people at work.

    locust -f locustfile.py --host=http://localhost:8000

opens Locust's page; with `--headless --run-time 1m` it runs at once. Whoever calls needs API keys,
from `--api-key` or MSIL_API_KEY (several apart by commas), else the one `make run` keeps in
.data/demo.key. With `--approver-key`, a key that may decide approvals, services are booked too.
`--per-minute 1000,3000,6000` climbs from rate to rate, `--stage-seconds` each.
"""

import json
import random
import time
import uuid
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from locust import FastHttpUser, events, task
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment

USERS = 100
PER_MINUTE = 1000
DEMO_KEY = Path(".data/demo.key")
MODERN, LEGACY = "2026-07-28", "2025-06-18"
META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
}
JSON_OR_STREAM = "application/json, text/event-stream"
CARS = [("9876543210", "MH12AB1234"), ("9876543211", "MH12CD5678")]
PLACES = [("Pune", "Hinjewadi"), ("Pune", "Baner"), ("Mumbai", "Andheri"), ("Delhi", "Dwarka")]
DEALERS = ["MSIL-PUNE-001", "MSIL-PUNE-002", "MSIL-PUNE-003", "MSIL-PUNE-004", "MSIL-BLR-001"]
TIMES = [f"{hour:02d}:{minute}" for hour in (9, 10, 11, 14, 15, 16) for minute in ("00", "30")]
HOLIDAYS = {(1, 26), (8, 15), (10, 2), (12, 25)}
QUESTIONS = [
    "Hello, what can you do for me?",
    "Which car is MH12AB1234?",
    "Where can I get a service near Baner, Pune?",
    "Book a service for MH12AB1234 tomorrow at 10 AM near Hinjewadi, Pune",
]
numbers = count()


@events.init_command_line_parser.add_listener
def add_options(parser: LocustArgumentParser) -> None:
    parser.set_defaults(num_users=USERS, spawn_rate=10)
    parser.add_argument(
        "--api-key", env_var="MSIL_API_KEY", default="", is_secret=True,
        help="API keys of the callers, apart by commas; else the demo's",
    )  # fmt: skip
    parser.add_argument(
        "--approver-key", env_var="LOCUST_APPROVER_KEY", default="", is_secret=True,
        help="API key of somebody who may decide approvals; without one nothing is booked",
    )  # fmt: skip
    parser.add_argument(
        "--per-minute", default=str(PER_MINUTE),
        help="requests a minute of all users together; several apart by commas are climbed",
    )  # fmt: skip
    parser.add_argument(
        "--stage-seconds", type=float, default=30.0, help="how long each rate lasts"
    )


@events.init.add_listener
def read_options(environment: Environment, **_: Any) -> None:
    options = environment.parsed_options
    given = options.api_key or (DEMO_KEY.read_text() if DEMO_KEY.exists() else "")
    environment.keys = [key.strip() for key in given.split(",") if key.strip()]
    environment.rates = [float(rate) / 60 for rate in options.per_minute.split(",")]
    if not environment.keys:
        raise SystemExit(
            "Give a key: --api-key or MSIL_API_KEY. `make run` keeps one in .data/demo.key, and "
            "`msil-mcp keys create load --role user` makes one."
        )


@events.test_start.add_listener
def note_the_start(environment: Environment, **_: Any) -> None:
    environment.began = time.monotonic()


class Caller(FastHttpUser):
    """Somebody with a key who does one thing after the other, a request each time."""

    abstract = True
    network_timeout = 60.0

    def on_start(self) -> None:
        keys = self.environment.keys
        self.key = keys[next(numbers) % len(keys)]
        self.due = time.monotonic()
        self.steps = self.work()

    def wait_time(self) -> float:
        """All users together keep the rate of the moment, each at odd times."""
        options, now = self.environment.parsed_options, time.monotonic()
        stage = int((now - self.environment.began) / options.stage_seconds)
        rates = self.environment.rates
        period = options.num_users / rates[min(stage, len(rates) - 1)]
        self.due = max(now, self.due + period * random.uniform(0.5, 1.5))
        return self.due - now

    def work(self) -> Iterator[None]:
        """One request at each step, for ever."""
        raise NotImplementedError

    @task
    def next_step(self) -> None:
        next(self.steps)

    def post(
        self, path: str, body: dict[str, Any], *, name: str, ok: tuple[int, ...] = (200,),
        key: str = "", headers: dict[str, str] | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """The JSON of the answer; another status, or an error inside, is a failure."""
        sent = {"Authorization": f"Bearer {key or self.key}", **(headers or {})}
        with self.client.post(
            path, json=body, headers=sent, name=name, catch_response=True
        ) as response:
            if response.status_code not in ok:
                response.failure(f"{response.status_code} {(response.text or '')[:200]}")
                return {}
            answer = _json_of(response)
            result = answer.get("result", {})
            if "error" in answer or result.get("isError") or result.get("resultType") == "error":
                response.failure(str(answer)[:200])
            return answer


def _json_of(response: Any) -> dict[str, Any]:
    """Plain, or the last message of an event stream."""
    if "text/event-stream" not in response.headers.get("Content-Type", ""):
        return response.json() if response.text else {}
    *_, last = (line for line in response.text.splitlines() if line.startswith("data:"))
    return json.loads(last.removeprefix("data:"))


def something_to_read() -> tuple[str, dict[str, Any]]:
    """A tool that reads, and arguments for it."""
    mobile, plate = random.choice(CARS)
    city, area = random.choice(PLACES)
    return random.choice(
        [
            ("resolve_customer", {"mobile": mobile}),
            ("resolve_vehicle", {"registration_number": plate}),
            ("get_nearby_dealers", {"city": city, "area": area}),
            ("get_available_slots", {"dealer_code": random.choice(DEALERS), "date": open_day()}),
        ]
    )


def open_day() -> str:
    """A day of the next two months on which dealers work."""
    day = date.today() + timedelta(days=random.randint(2, 60))  # noqa: DTZ011 any near day will do
    while day.weekday() == 6 or (day.month, day.day) in HOLIDAYS:
        day += timedelta(days=1)
    return day.isoformat()


class Assistant(Caller):
    """An MCP client of the stateless era: now and then it lists, mostly it calls."""

    weight = 55

    def work(self) -> Iterator[None]:
        while True:
            self.ask("tools/list", {})
            yield
            for _ in range(9):
                tool, arguments = something_to_read()
                self.ask("tools/call", {"name": tool, "arguments": arguments})
                yield

    def ask(self, method: str, parameters: dict[str, Any]) -> None:
        tool = parameters.get("name", "")
        headers = {
            "Accept": JSON_OR_STREAM, "MCP-Protocol-Version": MODERN, "Mcp-Method": method,
            **({"Mcp-Name": tool} if tool else {}),
        }  # fmt: skip
        message = {
            "jsonrpc": "2.0", "id": 1, "method": method, "params": parameters | {"_meta": META},
        }  # fmt: skip
        self.post("/mcp", message, headers=headers, name=f"MCP {method} {tool}".rstrip())


class OldAssistant(Caller):
    """An MCP client with a session."""

    weight = 20

    def work(self) -> Iterator[None]:
        headers = {"Accept": JSON_OR_STREAM, "MCP-Protocol-Version": LEGACY}
        headers["Mcp-Session-Id"] = self.open_session(dict(headers))
        yield
        note = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        name = "MCP notifications/initialized"
        self.post("/mcp", note, headers=headers, name=name, ok=(202,))
        yield
        for number in count(2):
            tool, arguments = something_to_read()
            parameters = {"name": tool, "arguments": arguments}
            message = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": parameters}
            self.post("/mcp", message, headers=headers, name=f"MCP session tools/call {tool}")
            yield

    def open_session(self, headers: dict[str, str]) -> str:
        about = {"name": "locust", "version": "1"}
        parameters = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": about}
        message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": parameters}
        headers["Authorization"] = f"Bearer {self.key}"
        with self.client.post(
            "/mcp", json=message, headers=headers, name="MCP initialize", catch_response=True
        ) as response:
            session = (response.headers or {}).get("Mcp-Session-Id", "")
            if not session:
                response.failure(f"{response.status_code} no session")
            return str(session)


class Program(Caller):
    """A script that calls tools by REST."""

    weight = 15

    def work(self) -> Iterator[None]:
        while True:
            tool, arguments = something_to_read()
            body = {"arguments": arguments}
            self.post(f"/api/tools/{tool}/call", body, name=f"REST call {tool}")
            yield


class Customer(Caller):
    """Somebody whose program books: it asks, a person agrees, it books, and looks again."""

    weight = 6

    def work(self) -> Iterator[None]:
        approver = self.environment.parsed_options.approver_key
        path = "/api/tools/create_service_booking/call"
        while True:
            tool, arguments = something_to_read()
            self.post(f"/api/tools/{tool}/call", {"arguments": arguments}, name=f"REST call {tool}")
            yield
            if not approver:
                continue
            body: dict[str, Any] = {"arguments": self.order()}
            key = {"Idempotency-Key": uuid.uuid4().hex}
            asked = self.post(path, body, headers=key, name="REST ask to book", ok=(202,))
            yield
            approval = asked.get("confirmation", {}).get("approval_id")
            if approval is None:
                continue
            decision = f"/api/approvals/{approval}/decision"
            agree = {"decision": "approve"}
            self.post(decision, agree, key=approver, name="REST approve")
            yield
            body["approval_id"] = approval
            booked = self.post(path, body, headers=key, name="REST book")
            yield
            booking = booked.get("structured", {}).get("booking_id", "")
            look = {"arguments": {"booking_id": booking}}
            self.post(
                "/api/tools/get_booking_status/call", look, name="REST call get_booking_status"
            )
            yield

    def order(self) -> dict[str, str]:
        mobile, plate = random.choice(CARS)
        return {
            "customer_mobile": mobile,
            "vehicle_registration": plate,
            "dealer_code": random.choice(DEALERS),
            "appointment_date": open_day(),
            "appointment_time": random.choice(TIMES),
            "service_type": "regular",
        }


class Person(Caller):
    """Somebody in a conversation; the answer is waited for, with everything the model calls."""

    weight = 4

    def work(self) -> Iterator[None]:
        while True:
            said = {"message": random.choice(QUESTIONS)}
            answer = self.post("/api/chat/send", said, name="chat send")
            yield
            if session := answer.get("session_id"):
                said = {"message": "Thank you, that is all.", "session_id": session}
                self.post("/api/chat/send", said, name="chat send")
                yield
