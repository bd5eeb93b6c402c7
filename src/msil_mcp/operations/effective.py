"""Every setting with the value in force and where it comes from; secrets only as set or not."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from msil_mcp.observability.masking import MASK, mask, names_a_secret
from msil_mcp.settings import Settings, Source, sources, variable_of

Kind = Literal["text", "number", "switch", "choice", "list", "object", "secret"]
Group = Literal[
    "server", "database", "models", "conversations", "identity", "calls", "audit", "upstreams",
    "observability",
]  # fmt: skip

_GROUPS: Final[Mapping[str, Group]] = {
    "database": "database",
    "redis": "database",
    "data_dir": "database",
    "openai": "models",
    "azure": "models",
    "anthropic": "models",
    "aws": "models",
    "ollama": "models",
    "vllm": "models",
    "model": "models",
    "chat": "conversations",
    "oidc": "identity",
    "loopback_sign_in": "identity",
    "session": "identity",
    "secret_key": "identity",
    "rate": "calls",
    "concurrency": "calls",
    "call": "calls",
    "approval": "calls",
    "result": "calls",
    "max_result": "calls",
    "redact": "calls",
    "audit": "audit",
    "upstream": "upstreams",
    "max_upstream": "upstreams",
    "https_proxy": "upstreams",
    "ssl": "upstreams",
    "otel": "observability",
    "log": "observability",
    "metrics": "observability",
}
"""By what a field's name begins with; everything else is of the server."""


class SettingView(BaseModel):
    """One setting; of a secret only whether it is set."""

    name: str
    group: Group
    description: str
    kind: Kind
    choices: list[str] | None
    source: Source
    is_set: bool
    value: str | int | float | bool | list[str] | dict[str, Any] | None
    default: str | int | float | bool | list[str] | dict[str, Any] | None


def effective_settings(settings: Settings) -> list[SettingView]:
    """Every setting, in the order of the reference."""
    where = sources(settings)
    return [
        _view(name, field, getattr(settings, name), source=where[name])
        for name, field in type(settings).model_fields.items()
    ]


def _view(name: str, field: FieldInfo, value: Any, *, source: Source) -> SettingView:
    kind, choices = _kind(field.annotation)
    secret = kind == "secret"
    return SettingView(
        name=variable_of(name, field),
        group=next((group for start, group in _GROUPS.items() if name.startswith(start)), "server"),
        description=field.description or "",
        kind=kind,
        choices=choices,
        source=source,
        is_set=value not in (None, "", (), {}),
        value=None if secret else shown(value),
        default=None if secret else shown(field.default),
    )


def _kind(annotation: Any) -> tuple[Kind, list[str] | None]:
    if get_origin(annotation) is Literal:
        return "choice", [str(value) for value in get_args(annotation)]
    members = get_args(annotation) or (annotation,)
    plain = {get_origin(member) or member for member in members} - {type(None), ...}
    origin = get_origin(annotation)
    if SecretStr in plain:
        return "secret", None
    if origin is tuple:
        return "list", None
    if origin is dict:
        return "object", None
    if bool in plain:
        return "switch", None
    return ("number" if plain & {int, float} else "text"), None


def shown(value: Any) -> Any:
    """A value as JSON, with what looks like a credential left out."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, str):
        return _masked_address(value) if "://" in value else mask(value)
    if isinstance(value, tuple):
        return [shown(item) for item in value]
    if isinstance(value, Mapping):
        return {key: shown(item) for key, item in mask(value).items()}
    return value


def _masked_address(value: str) -> str:
    """A URL without its password, in whichever part it stands."""
    try:
        parts = urlsplit(value)
    except ValueError:
        return MASK
    host = parts.netloc.rpartition("@")[2]
    who = parts.netloc.rpartition("@")[0].partition(":")
    user = f"{who[0]}:{MASK}@" if who[1] else f"{who[0]}@" if who[0] else ""
    pairs = [
        (key, MASK if names_a_secret(key) and item else item)
        for key, item in parse_qsl(parts.query, keep_blank_values=True)
    ]
    return urlunsplit((parts.scheme, user + host, parts.path, urlencode(pairs, safe="*"), ""))
