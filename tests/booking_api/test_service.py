"""Starting, restarting and describing the service, as its operator and the CLI do."""

import ast
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

import booking_api
from booking_api.app import create_app, openapi_document
from booking_api.database import open_database
from booking_api.settings import BookingSettings

pytestmark = pytest.mark.anyio


async def test_health_and_readiness_answer(client):
    health = await client.get("/health")
    assert health.body == {
        "status": "healthy",
        "service": "MSIL Service Booking API",
        "version": "1.0.0",
    }
    ready = await client.get("/ready")
    assert ready.body == {"status": "ready", "checks": {"database": "healthy"}}


async def test_a_restart_keeps_what_was_changed_and_plants_nothing_twice(
    stopped_service, connected
):
    with stopped_service.running() as service:
        before = service.query("SELECT count(*) FROM customers")
        service.query(
            "UPDATE customers SET city = 'Nashik' WHERE mobile = '9876543210' RETURNING 1"
        )
        service.query("DELETE FROM areas WHERE area_key = 'aundh' RETURNING 1")
    with stopped_service.running() as service:
        async with connected(service) as client:
            customer = await client.post("/api/customer/resolve", {"mobile": "9876543210"})
            near = await client.post("/api/dealers/nearby", {"city": "Pune", "area": "Aundh"})
    assert customer.body["city"] == "Nashik"
    assert near.status == 200
    assert service.query("SELECT count(*) FROM customers") == before


@pytest.mark.parametrize("backend", ["sqlite"], scope="session")
def test_sqlite_is_durable_wal(stopped_service):
    with stopped_service.running() as service:
        assert service.query("PRAGMA journal_mode") == [("wal",)]


async def test_sqlite_connections_are_fully_synchronous_with_foreign_keys(tmp_path):
    database = open_database(f"sqlite:///{tmp_path}/new/folder/booking.db")
    try:
        async with database.engine.connect() as connection:
            values = [
                (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar_one()
                for name in ("synchronous", "foreign_keys", "journal_mode")
            ]
    finally:
        await database.close()
    assert values == [2, 1, "wal"]


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("mysql://user@host/db", "use sqlite:///file or postgresql://"),
        ("sqlite://", "name a file"),
        ("sqlite:///:memory:", "name a file"),
    ],
)
def test_a_database_that_does_not_fit_is_refused_with_the_ones_that_do(url, sentence):
    with pytest.raises(ValueError, match=sentence):
        open_database(url)


def test_settings_come_from_booking_variables(monkeypatch, tmp_path):
    monkeypatch.setenv("BOOKING_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("BOOKING_PORT", "9009")
    settings = BookingSettings(_env_file=None)
    assert settings.base_url == "http://127.0.0.1:9009"
    assert settings.effective_database_url == f"sqlite:///{tmp_path.as_posix()}/booking.db"
    monkeypatch.setenv("BOOKING_PUBLIC_URL", "https://bookings.example.com/")
    monkeypatch.setenv("BOOKING_DATABASE_URL", "postgresql://postgres@db/booking")
    settings = BookingSettings(_env_file=None)
    assert create_app(settings).openapi()["servers"] == [{"url": "https://bookings.example.com"}]
    assert settings.effective_database_url == "postgresql://postgres@db/booking"


def test_the_document_needs_neither_a_server_nor_a_database(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BOOKING_DATABASE_URL", "postgresql://nobody@nowhere.invalid/none")
    assert openapi_document(server_url="http://b.invalid")["servers"] == [
        {"url": "http://b.invalid"}
    ]
    assert openapi_document()["servers"] == [{"url": "http://127.0.0.1:8001"}]
    assert list(tmp_path.iterdir()) == []


def test_importing_the_service_loads_neither_the_gateway_nor_a_server():
    modules = list(Path(booking_api.__file__).parent.glob("*.py"))
    assert len(modules) > 10
    loaded = {
        name.partition(".")[0]
        for module in modules
        for statement in ast.parse(module.read_text(encoding="utf-8")).body
        for name in imported_names(statement)
    }
    assert "fastapi" in loaded
    assert not loaded & {"msil_mcp", "uvicorn", "aiosqlite", "psycopg"}


def imported_names(statement):
    match statement:
        case ast.Import(names=names):
            return [alias.name for alias in names]
        case ast.ImportFrom(module=str(module)):
            return [module]
    return []


def test_the_module_runs_the_service(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-m", "booking_api"],
        cwd=tmp_path,
        env=os.environ | {"BOOKING_PORT": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            announced = next(line for line in process.stdout if "running on http" in line)
            url = announced.partition("running on ")[2].split()[0]
            with urllib.request.urlopen(f"{url}/ready", timeout=10) as response:
                assert response.status == 200
        finally:
            process.terminate()
            process.communicate(timeout=20)
    assert (tmp_path / ".data" / "booking.db").exists()
