"""Models that fail: the error that is raised, what is repeated, what is counted."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import SecretStr

from msil_mcp.llm.errors import (
    BadKey,
    ContentRefused,
    ContextTooLong,
    LlmError,
    ModelGarbled,
    ModelMisconfigured,
    ModelNotFound,
    ModelRateLimited,
    ModelTimeout,
    ModelUnavailable,
)
from msil_mcp.llm.retrying import Patience
from running import serving

pytestmark = pytest.mark.anyio

Start = Callable[..., Any]
LONG = "Please book a service for my car as soon as there is a free slot at any dealer nearby. " * 2
FAULTS = {
    "demo-401": BadKey,
    "demo-429": ModelRateLimited,
    "demo-context": ContextTooLong,
    "demo-drop": ModelUnavailable,
    "demo-filter": ContentRefused,
    "demo-garbage": ModelGarbled,
    "no-such-model": ModelNotFound,
}


async def consume(llm: Any, text: str, shown: list[str] | None = None) -> str:
    pieces = [] if shown is None else shown
    async with llm.stream(text) as stream:
        async for piece in stream:
            pieces.append(piece)
    return "".join(pieces)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("model", "error"), FAULTS.items())
async def test_every_fault_is_an_error_of_its_own(
    llm_service: Start, model: str, error: type[LlmError], streamed: bool
) -> None:
    async with llm_service(openai_model=f"scripted:{model}", model_retries=0) as service:
        with pytest.raises(error) as raised:
            await (consume(service.llm, LONG) if streamed else service.llm.complete(LONG))
        assert type(raised.value) is error
        assert model in str(raised.value)
        assert service.value("openai_requests_total", model=model, status=error.slug) == 1


async def test_a_rate_limit_says_how_long_to_wait(llm_service: Start) -> None:
    async with llm_service(openai_model="scripted:demo-429", model_retries=0) as service:
        with pytest.raises(ModelRateLimited) as raised:
            await service.llm.complete("hello")
    assert raised.value.retry_after == 2
    assert raised.value.headers == {"Retry-After": "2"}


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_model_that_takes_too_long_is_given_up(llm_service: Start, streamed: bool) -> None:
    async with llm_service(
        openai_model="scripted:demo-slow",
        model_retries=0,
        model_timeout_seconds=0.05,
        model_first_token_seconds=0.05,
    ) as service:
        with pytest.raises(ModelTimeout):
            await (consume(service.llm, "hello") if streamed else service.llm.complete("hello"))


async def test_what_may_help_is_repeated_and_each_attempt_counted(llm_service: Start) -> None:
    async with llm_service(openai_model="scripted:demo-garbage", model_retries=2) as service:
        with pytest.raises(ModelGarbled):
            await service.llm.complete("hello")
        label = {"model": "demo-garbage", "status": "model_garbled"}
        assert service.value("openai_requests_total", **label) == 3


async def test_a_bad_key_is_not_tried_twice(llm_service: Start) -> None:
    async with llm_service(openai_model="scripted:demo-401", model_retries=2) as service:
        with pytest.raises(BadKey):
            await service.llm.complete("hello")
        label = {"model": "demo-401", "status": "model_bad_key"}
        assert service.value("openai_requests_total", **label) == 1


async def test_nothing_is_repeated_once_something_was_shown(llm_service: Start) -> None:
    async with llm_service(
        openai_model="scripted:demo-drop", model_retries=3, model_fallbacks=("scripted",)
    ) as service:
        shown: list[str] = []
        with pytest.raises(ModelUnavailable):
            await consume(service.llm, "hello", shown)
        assert "".join(shown).startswith("Hello")
        label = {"model": "demo-drop", "status": "model_unavailable"}
        assert service.value("openai_requests_total", **label) == 1


@pytest.mark.parametrize("streamed", [False, True])
async def test_the_next_model_answers_where_one_cannot(llm_service: Start, streamed: bool) -> None:
    async with llm_service(
        openai_model="scripted:demo-401", model_fallbacks=("scripted:demo-context", "scripted")
    ) as service:
        if streamed:
            assert "registration number" in await consume(service.llm, LONG)
        else:
            answer = await service.llm.complete(LONG)
            assert answer.model == "msil-scripted"
            assert answer.cost.usd == 0
        label = {"model": "msil-scripted", "status": "success"}
        assert service.value("openai_requests_total", **label) == 1


async def test_when_no_model_answers_the_last_failure_is_raised(llm_service: Start) -> None:
    async with llm_service(
        openai_model="scripted:demo-401", model_fallbacks=("scripted:demo-context",)
    ) as service:
        for work in (service.llm.complete(LONG), consume(service.llm, LONG)):
            with pytest.raises(ContextTooLong):
                await work


async def test_refused_content_is_not_shopped_around(llm_service: Start) -> None:
    async with llm_service(
        openai_model="scripted:demo-filter", model_fallbacks=("scripted",)
    ) as service:
        with pytest.raises(ContentRefused):
            await service.llm.complete("hello")


async def test_a_stopped_request_is_counted_as_cancelled(llm_service: Start) -> None:
    async with llm_service(openai_model="scripted:demo-slow") as service:
        await service.llm.chat_model()
        work = asyncio.create_task(service.llm.complete("hello"))
        done, _ = await asyncio.wait([work], timeout=0.2)
        assert not done
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert service.value("openai_requests_total", model="demo-slow", status="cancelled") == 1


@pytest.mark.parametrize(
    ("model", "remedy"),
    [
        ("azure:chat", "AZURE_OPENAI_ENDPOINT"),
        ("anthropic:claude-x", "ANTHROPIC_API_KEY"),
        ("bedrock:nova", "AWS_REGION"),
    ],
)
async def test_a_missing_setting_is_named(llm_service: Start, model: str, remedy: str) -> None:
    async with llm_service(openai_model=model) as service:
        with pytest.raises(ModelMisconfigured, match=remedy):
            await service.llm.complete("hello")


@pytest.mark.parametrize(
    ("extra", "settings"),
    [
        ("anthropic", {"openai_model": "anthropic:claude-x", "anthropic_api_key": SecretStr("k")}),
        ("bedrock", {"openai_model": "bedrock:nova", "aws_region": "ap-south-1"}),
    ],
)
async def test_a_missing_extra_says_what_to_install(
    llm_service: Start, extra: str, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for library in ("anthropic", "boto3", "botocore"):
        monkeypatch.setitem(sys.modules, library, None)
    async with llm_service(**settings) as service:
        with pytest.raises(ModelMisconfigured, match=rf"msil-mcp\[{extra}\]"):
            await service.llm.complete("hello")


@pytest.mark.parametrize("model", ["ollama:msil-scripted", "vllm:msil-scripted"])
async def test_local_servers_are_reached_by_their_base_url(
    llm_service: Start, model_url: str, model: str
) -> None:
    async with llm_service(
        openai_model=model, ollama_base_url=model_url, vllm_base_url=model_url
    ) as service:
        answer = await service.llm.complete("hello")
        assert answer.text.startswith("Hello")
        assert not answer.cost.is_known


async def test_azure_is_asked_at_its_endpoint_with_its_key(llm_service: Start) -> None:
    seen: list[tuple[str, dict[str, str]]] = []

    async def azure(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            headers = {name.decode(): value.decode() for name, value in scope["headers"]}
            seen.append((scope["path"], headers))
            head = {"type": "http.response.start", "status": 401}
            await send({**head, "headers": [(b"content-type", b"application/json")]})
            await send({"type": "http.response.body", "body": b'{"error":{"message":"no"}}'})
        else:
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})

    with serving(azure) as (url, _):
        async with llm_service(
            openai_model="azure:chat",
            azure_openai_endpoint=url,
            azure_openai_api_key=SecretStr("k"),
        ) as service:
            with pytest.raises(BadKey):
                await service.llm.complete("hello")
    [(path, headers)] = seen
    assert path == "/openai/v1/chat/completions"
    assert "k" in (headers.get("api-key"), headers.get("authorization", "").removeprefix("Bearer "))


async def test_no_real_model_can_be_reached_from_tests(llm_service: Start) -> None:
    async with llm_service(openai_api_key=SecretStr("k"), model_retries=0) as service:
        assert not service.llm.is_scripted
        with pytest.raises(ModelUnavailable):
            await service.llm.complete("hello")


def test_waits_grow_spread_and_end() -> None:
    patience = Patience(retries=3, whole=1, first_token=1)
    error = ModelUnavailable(model="m")
    waits = [[patience.delay(error, attempt=n) for _ in range(20)] for n in range(3)]
    for attempt, found in enumerate(waits):
        bound = 0.5 * 2**attempt
        assert all(wait is not None and bound / 2 <= wait <= bound for wait in found)
        assert len(set(found)) > 1
    assert patience.delay(error, attempt=3) is None
    assert patience.delay(ModelRateLimited(model="m", retry_after=60), attempt=0) is None
    asked = patience.delay(ModelRateLimited(model="m", retry_after=4), attempt=0)
    assert asked is not None
    assert 4 <= asked <= 5


def test_importing_the_product_loads_no_model_library() -> None:
    code = (
        "import sys, msil_mcp.main, msil_mcp.llm.llm_service\n"
        "heavy = {'pydantic_ai', 'openai', 'anthropic', 'boto3', 'genai_prices', 'tiktoken'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
