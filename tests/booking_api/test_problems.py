"""Every refusal is an RFC 9457 problem, and no request makes the service fail."""

import string

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.anyio

RESOLVE = "/api/customer/resolve"
PROBLEM_MEMBERS = {"type", "title", "status", "detail", "instance", "code"}


def assert_problem(answer, *, status, code, instance):
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-correlation-id"]
    assert PROBLEM_MEMBERS <= answer.body.keys() <= PROBLEM_MEMBERS | {"errors"}
    assert answer.body["status"] == status
    assert answer.body["code"] == code
    assert answer.body["type"].endswith(f"/{code}")
    assert answer.body["instance"] == instance
    assert answer.body["title"]
    assert answer.body["detail"].endswith(".")


async def test_an_unknown_path_is_a_problem(client):
    answer = await client.get("/api/nothing")
    assert_problem(answer, status=404, code="no_such_path", instance="/api/nothing")


async def test_a_trailing_slash_is_another_path_not_a_redirect(client):
    answer = await client.post(f"{RESOLVE}/", {"mobile": "9876543210"})
    assert_problem(answer, status=404, code="no_such_path", instance=f"{RESOLVE}/")


async def test_a_wrong_method_is_a_problem_that_keeps_allow(client):
    answer = await client.get(RESOLVE)
    assert_problem(answer, status=405, code="method_not_allowed", instance=RESOLVE)
    assert answer.headers["allow"] == "POST"
    assert "GET" in answer.body["detail"]


async def test_invalid_fields_are_named_one_by_one_without_their_values(client):
    answer = await client.post(
        "/api/booking/create",
        {"customer_mobile": "12345", "service_type": "wash", "colour": "red"},
    )
    assert_problem(answer, status=422, code="invalid_request", instance="/api/booking/create")
    errors = {item["field"]: item["detail"] for item in answer.body["errors"]}
    assert errors.keys() == {
        "customer_mobile",
        "vehicle_registration",
        "dealer_code",
        "appointment_date",
        "appointment_time",
        "service_type",
        "colour",
    }
    assert errors["dealer_code"] == "is required"
    assert "remove it" in errors["colour"]
    assert {item["location"] for item in answer.body["errors"]} == {"body"}
    assert "12345" not in str(answer.body)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (RESOLVE, {"mobile": "9876543210"}),
        ("/api/vehicle/resolve", {"registration_number": "MH12AB1234"}),
        ("/api/dealers/nearby", {"city": "Pune"}),
        ("/api/slots/available", {"dealer_code": "MSIL-PUNE-001", "date": "2026-03-03"}),
    ],
)
async def test_every_request_refuses_a_field_it_does_not_know(client, path, body):
    assert (await client.post(path, body)).status == 200
    answer = await client.post(path, body | {"surprise": 1})
    assert_problem(answer, status=422, code="invalid_request", instance=path)
    assert answer.body["errors"][0]["field"] == "surprise"


async def test_many_wrong_fields_are_summed_up(client):
    answer = await client.post(RESOLVE, {f"field_{n}": n for n in range(1000)})
    assert answer.status == 422
    assert len(answer.body["errors"]) == 10


@pytest.mark.parametrize("body", [[], "text", 5, None, True])
async def test_a_body_that_is_no_object_is_a_problem(client, body):
    answer = await client.post(RESOLVE, body)
    assert_problem(answer, status=422, code="invalid_request", instance=RESOLVE)


@pytest.mark.parametrize(
    ("data", "content_type", "status", "code"),
    [
        (b"", "application/json", 422, "invalid_request"),
        (b'{"mobile": ', "application/json", 400, "malformed_json"),
        (b'{"mobile": "9876543210"}', "text/plain", 415, "unsupported_media_type"),
        (b"mobile=9876543210", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        (b'{"mobile": "\xff"}', "application/json", 400, "malformed_json"),
        (b"[" * 60_000, "application/json", 400, "malformed_json"),
        (b'{"mobile": ' + b"9" * 5000 + b"}", "application/json", 400, "malformed_json"),
        (
            b'{"\\ud800": "\\ud800", "mobile": "\\ud800"}',
            "application/json",
            422,
            "invalid_request",
        ),
        (b'{"mobile": NaN}', "application/json", 422, "invalid_request"),
        (b'"' + b"x" * 70_000 + b'"', "application/json", 413, "body_too_large"),
    ],
)
async def test_a_body_that_cannot_be_read_is_a_problem(client, data, content_type, status, code):
    answer = await client.send("POST", RESOLVE, data=data, headers={"Content-Type": content_type})
    assert_problem(answer, status=status, code=code, instance=RESOLVE)


async def test_a_body_too_large_is_refused_even_without_a_declared_length(client):
    async def chunks():
        for _ in range(70):
            yield b"x" * 1024

    answer = await client.send(
        "POST", RESOLVE, data=chunks(), headers={"Content-Type": "application/json"}
    )
    assert_problem(answer, status=413, code="body_too_large", instance=RESOLVE)


async def test_control_characters_in_notes_are_refused(client, order):
    answer = await client.book(order | {"notes": "a\x00b"})
    assert answer.status == 422
    assert "control characters" in answer.body["detail"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(
    [
        *("mobile", "registration_number", "city", "area", "dealer_code", "date", "service_type"),
        *("customer_mobile", "vehicle_registration", "appointment_date", "appointment_time"),
        "notes",
    ]
)
PATHS = st.sampled_from(
    [
        RESOLVE,
        "/api/vehicle/resolve",
        "/api/dealers/nearby",
        "/api/slots/available",
        "/api/booking/create",
    ]
)


@given(path=PATHS, body=st.dictionaries(FIELDS, JSON, max_size=6) | JSON)
@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_no_body_makes_the_service_fail(client, path, body):
    answer = await client.post(path, body)
    assert answer.status < 500
    if answer.status >= 400:
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_correlation_id_is_echoed(client):
    answer = await client.get("/health", **{"X-Correlation-ID": "trace:01.a_B-9"})
    assert answer.headers["x-correlation-id"] == "trace:01.a_B-9"


@pytest.mark.parametrize("offered", ["", "has space", "x" * 129, "semi;colon"])
async def test_a_correlation_id_that_cannot_be_logged_is_replaced(client, offered):
    answer = await client.get("/health", **{"X-Correlation-ID": offered})
    created = answer.headers["x-correlation-id"]
    assert len(created) == 32
    assert set(created) <= set(string.hexdigits)


@pytest.mark.parametrize("backend", ["postgresql"], scope="session")
async def test_a_database_that_is_gone_is_a_503_that_may_be_retried(
    stopped_service, connected, order
):
    with stopped_service.running() as service:
        async with connected(service) as client:
            assert (await client.get("/ready")).body["status"] == "ready"
            name = service.database_url.rpartition("/")[2]
            admin = "host=127.0.0.1 user=postgres"
            with psycopg.connect(admin, autocommit=True) as connection:
                connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                    [name],
                )
                answers = [
                    await client.book(order),
                    await client.post(RESOLVE, {"mobile": "9876543210"}),
                    await client.get("/ready"),
                ]
                assert (await client.get("/health")).status == 200
                connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
            assert (await client.book(order)).status == 201
    for answer, path in zip(answers, ["/api/booking/create", RESOLVE, "/ready"], strict=True):
        assert_problem(answer, status=503, code="database_busy", instance=path)
        assert answer.headers["retry-after"] == "1"


async def test_an_unforeseen_failure_is_a_500_that_tells_nothing_but_the_correlation_id(
    stopped_service, connected, order
):
    def broken():
        raise RuntimeError("the secret inside")

    with stopped_service.running(draw_suffix=broken) as service:
        async with connected(service) as client:
            answer = await client.send(
                "POST", "/api/booking/create", json=order, headers={"X-Correlation-ID": "here"}
            )
    assert_problem(answer, status=500, code="internal_error", instance="/api/booking/create")
    assert answer.headers["x-correlation-id"] == "here"
    assert "secret" not in str(answer.body)
    assert service.query("SELECT count(*) FROM bookings") == [(0,)]
