"""Settings from the environment or .env: conventional names where there is a convention.

No secret has a default. Every field's description is its documentation; a test compares it with
the reference.
"""

import os
from collections.abc import Mapping
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    NoDecode,
    SettingsConfigDict,
)

from msil_mcp.chat_settings import ChatSettings
from msil_mcp.identity_settings import IdentitySettings

ENV_FILE: Final = ".env"
Source = Literal["default", "environment", "dotenv", "command"]
"""`command` is what was given when the program was started."""
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def environment() -> Mapping[str, str]:
    """The process environment, for secrets that settings name by their variable."""
    return os.environ


def hand_down(settings: "Settings") -> None:
    """Put what a command was given into the environment, for the processes it starts."""
    os.environ |= {"HOST": settings.host, "PORT": str(settings.port)}


def variable_of(name: str, field: FieldInfo, *, prefix: str = "MSIL_") -> str:
    """The environment variable that sets a field."""
    match field.validation_alias:
        case AliasChoices(choices=[str(first), *_]) | str(first):
            return first
    return prefix + name.upper()


def sources(settings: "Settings") -> Mapping[str, Source]:
    """Where each field's value comes from."""
    here = {variable.lower() for variable in os.environ}
    written = DotEnvSettingsSource(type(settings)).env_vars
    found: dict[str, Source] = {}
    for name, field in type(settings).model_fields.items():
        variable = variable_of(name, field).lower()
        if name not in settings.model_fields_set:
            found[name] = "default"
        elif variable in here:
            found[name] = "environment"
        else:
            found[name] = "dotenv" if variable in written else "command"
    return found


def _env(name: str) -> AliasChoices:
    return AliasChoices(name, name.lower())


class Settings(ChatSettings, IdentitySettings, BaseSettings):
    """Everything a deployment may set."""

    model_config = SettingsConfigDict(
        env_file=ENV_FILE, env_prefix="MSIL_", extra="ignore", populate_by_name=True, frozen=True
    )

    host: str = Field(
        "127.0.0.1", validation_alias=_env("HOST"), description="Address to listen on."
    )
    port: int = Field(8000, validation_alias=_env("PORT"), ge=0, le=65535, description="TCP port.")
    database_url: str = Field(
        "",
        validation_alias=_env("DATABASE_URL"),
        description="SQLAlchemy URL. Empty: an SQLite file in the data directory. "
        "postgresql://… for production.",
    )
    database_read_url: str = Field(
        "",
        validation_alias=_env("DATABASE_READ_URL"),
        description="A PostgreSQL read replica for searching and exporting the audit trail and for "
        "analytics. Empty, and while it does not answer: DATABASE_URL.",
    )
    database_pool_size: int = Field(
        10,
        ge=2,
        description="PostgreSQL connections a process keeps for its queries; half as many again "
        "are opened under load, and three more for audit and bus.",
    )
    redis_url: str = Field(
        "",
        validation_alias=_env("REDIS_URL"),
        description="Redis or Valkey for rate limits shared by replicas. Empty: each process "
        "limits by itself.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", validation_alias=_env("LOG_LEVEL"), description="Least severe level logged."
    )
    openai_api_key: SecretStr | None = Field(
        None,
        validation_alias=_env("OPENAI_API_KEY"),
        description="Key of the OpenAI-compatible model provider. Empty: the scripted model.",
    )
    openai_base_url: str = Field(
        "",
        validation_alias=_env("OPENAI_BASE_URL"),
        description="Base URL of an OpenAI-compatible provider. Empty: OpenAI itself.",
    )
    openai_model: str = Field(
        "gpt-4o-mini",
        validation_alias=_env("OPENAI_MODEL"),
        description="Model of the chat. A prefix names another provider: azure:, anthropic:, "
        "bedrock:, ollama: or vllm:, and scripted: for the model of this product.",
    )
    azure_openai_endpoint: str = Field(
        "",
        validation_alias=_env("AZURE_OPENAI_ENDPOINT"),
        description="Endpoint of the Azure OpenAI resource, for azure: models.",
    )
    azure_openai_api_key: SecretStr | None = Field(
        None,
        validation_alias=_env("AZURE_OPENAI_API_KEY"),
        description="Key of the Azure OpenAI resource.",
    )
    openai_api_version: str = Field(
        "",
        validation_alias=_env("OPENAI_API_VERSION"),
        description="API version of Azure OpenAI. Empty: the endpoint's v1 API.",
    )
    anthropic_api_key: SecretStr | None = Field(
        None,
        validation_alias=_env("ANTHROPIC_API_KEY"),
        description="Key of Anthropic, for anthropic: models.",
    )
    aws_region: str = Field(
        "",
        validation_alias=_env("AWS_REGION"),
        description="Region of Amazon Bedrock, for bedrock: models. The credentials are those AWS "
        "finds by itself: a role, a profile or its variables.",
    )
    ollama_base_url: str = Field(
        "http://127.0.0.1:11434/v1",
        validation_alias=_env("OLLAMA_BASE_URL"),
        description="Base URL of Ollama, for ollama: models.",
    )
    vllm_base_url: str = Field(
        "http://127.0.0.1:8001/v1",
        validation_alias=_env("VLLM_BASE_URL"),
        description="Base URL of vLLM, for vllm: models.",
    )
    model_fallbacks: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Models asked in this order when the one before cannot answer, separated by "
        "commas.",
    )
    models_by_role: dict[str, list[str]] = Field(
        {},
        description="JSON object: for each role the models its holders may choose, where * stands "
        "for anything. Empty: everybody gets the model of the chat.",
    )
    model_prices: dict[str, dict[str, Decimal]] = Field(
        {},
        description="JSON object: for each model its prices in US dollars per million tokens as "
        "input, output and, where it differs, cached_input. Others are looked up.",
    )
    model_timeout_seconds: float = Field(
        120.0,
        gt=0,
        description="Longest a model may take for an answer, or between two pieces of a streamed "
        "one, in seconds.",
    )
    model_first_token_seconds: float = Field(
        30.0, gt=0, description="Longest a model may take to begin a streamed answer, in seconds."
    )
    model_retries: int = Field(
        2,
        ge=0,
        le=10,
        description="How often a failed model request is repeated while nothing of its answer was "
        "shown.",
    )
    warm_models: Literal["start", "chat", "never"] = Field(
        "chat",
        description="When the libraries of the models are loaded, about 60 MB: `start`, behind the "
        "start of the server; `chat`, as soon as somebody opens the chat or asks for models; "
        "`never`, for the first answer only.",
    )
    otel_exporter_otlp_endpoint: str = Field(
        "",
        validation_alias=_env("OTEL_EXPORTER_OTLP_ENDPOINT"),
        description="OTLP/HTTP endpoint for traces. Empty: no traces are recorded.",
    )
    otel_service_name: str = Field(
        "msil-mcp",
        validation_alias=_env("OTEL_SERVICE_NAME"),
        description="Service name in traces.",
    )
    https_proxy: str = Field(
        "",
        validation_alias=AliasChoices("HTTPS_PROXY", "https_proxy"),
        description="Proxy for outgoing HTTPS requests.",
    )
    ssl_cert_file: Path | None = Field(
        None,
        validation_alias=_env("SSL_CERT_FILE"),
        description="CA bundle (PEM) to verify upstreams with. Empty: the system's.",
    )

    data_dir: Path = Field(Path(".data"), description="Directory for the SQLite files and the key.")
    secret_key: SecretStr | None = Field(
        None,
        description="Base64url of at least 32 random bytes; every other key is derived from it. "
        "Several, newest first, separated by commas, to rotate. Empty on SQLite: generated in the "
        "data directory with mode 0600. Required on PostgreSQL.",
    )
    public_url: str = Field(
        "", description="URL people and clients reach this service at. Empty: http://HOST:PORT."
    )
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Host header values accepted beside the public URL's and loopback names, "
        "separated by commas.",
    )
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Origin header values accepted beside the public URL's and loopback ones, "
        "separated by commas.",
    )
    max_body_bytes: int = Field(
        4 << 20,
        ge=1024,
        description="Largest request body, in bytes; OpenAPI documents may have 20 MiB.",
    )
    max_result_bytes: int = Field(
        256 << 10, ge=1024, description="Largest tool result handed to a client, in bytes."
    )
    max_upstream_bytes: int = Field(
        8 << 20, ge=1024, description="Largest upstream answer read, in bytes, after decompression."
    )
    call_timeout_seconds: float = Field(
        30.0, gt=0, le=600, description="Longest a tool call may take, in seconds."
    )
    approval_ttl_seconds: float = Field(
        900.0, gt=0, description="How long an approval can be given and used, in seconds."
    )
    session_ttl_seconds: float = Field(
        86400.0, gt=0, description="How long a legacy MCP session lives, in seconds."
    )
    result_retention_seconds: float = Field(
        86400.0,
        gt=0,
        description="How long results of keyed calls are kept for replay, in seconds.",
    )
    audit_retention_days: int = Field(365, ge=1, description="Days an audit record is kept.")
    rate_per_principal: float = Field(
        200.0, ge=0, description="Calls a second one caller may make; 0 is no limit."
    )
    rate_burst: int = Field(
        400, ge=1, description="Calls a caller may make at once above its rate."
    )
    rate_per_tool: float = Field(
        0.0, ge=0, description="Calls a second one tool may receive; 0 is no limit."
    )
    rate_global: float = Field(
        0.0, ge=0, description="Calls a second the whole service accepts; 0 is no limit."
    )
    concurrency_per_tool: int = Field(
        256, ge=1, description="Calls of one tool running at once in one process."
    )
    redact_output: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Kinds of personal data masked in tool results too (mobile, email, aadhaar, "
        "pan, card, plate), separated by commas. Audit and logs are always masked.",
    )
    mcp_url: str = Field(
        "", description="MCP URL that `serve --stdio` bridges to. Empty: this host's and port's."
    )
    api_key: SecretStr | None = Field(
        None, description="API key that `serve --stdio` shows to the server."
    )
    upstream_credentials: dict[str, dict[str, str]] = Field(
        {},
        description="JSON object: for each bundle the kind (bearer, basic or api_key), the "
        "variable of the environment that holds the secret, for api_key the header, and the "
        "origin that it may be sent to (https://api.example.com); without one it goes wherever "
        "the bundle's tools call.",
    )
    drain_seconds: float = Field(
        30.0, ge=0, description="How long running calls may take to finish at shutdown, in seconds."
    )
    leave_seconds: float | None = Field(
        None,
        ge=0,
        le=300,
        description="How long `/ready` says no before the server stops listening, in seconds, for "
        "load balancers to look elsewhere first. Empty: 0 on loopback, else 5.",
    )
    keep_alive_seconds: int = Field(
        250,
        ge=1,
        le=3600,
        description="How long an idle connection is kept, in seconds. Longer than any balancer in "
        "front keeps it, or a request may meet a connection that is just being closed.",
    )
    metrics_token: SecretStr | None = Field(
        None,
        description="Bearer token a scraper must show at /metrics. Empty: open, as Prometheus "
        "expects inside a cluster.",
    )

    @model_validator(mode="before")
    @classmethod
    def _split_lists(cls, values: object) -> object:
        if not isinstance(values, dict):
            return values
        lists = {
            "allowed_hosts", "allowed_origins", "redact_output", "oidc_algorithms",
            "model_fallbacks",
        }  # fmt: skip
        return {
            key: tuple(part.strip() for part in value.split(",") if part.strip())
            if key in lists and isinstance(value, str)
            else value
            for key, value in values.items()
        }

    @model_validator(mode="after")
    def _postgres_needs_a_key(self) -> Self:
        if not self.is_sqlite and self.secret_key is None:
            raise ValueError(
                "MSIL_SECRET_KEY is required with PostgreSQL, because replicas share it. "
                "Make one with: msil-mcp secret"
            )
        return self

    @model_validator(mode="after")
    def _replicas_are_of_postgres(self) -> Self:
        if self.is_sqlite and self.database_read_url:
            raise ValueError(
                "DATABASE_READ_URL needs DATABASE_URL to be PostgreSQL; SQLite has no replicas."
            )
        return self

    @property
    def is_sqlite(self) -> bool:
        """Whether the embedded database is used: one serving process."""
        return not self.database_url or self.database_url.startswith("sqlite")

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        return self.host in LOOPBACK

    @property
    def seconds_to_leave(self) -> float:
        """From the signal until the server stops listening."""
        if self.leave_seconds is not None:
            return self.leave_seconds
        return 0.0 if self.is_loopback else 5.0

    @cached_property
    def base_url(self) -> str:
        """The public URL without a trailing slash."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (self.public_url or f"http://{host}:{self.port}").rstrip("/")

    @cached_property
    def public_host(self) -> str:
        """Host and port of the public URL, as a Host header carries them."""
        return urlsplit(self.base_url).netloc
