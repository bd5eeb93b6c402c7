"""What this server shows a service to be let in; never an argument, never logged."""

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, Protocol
from urllib.parse import urlsplit

import msgspec
import structlog

from msil_mcp.tools.version import ToolVersion
from msil_mcp.upstream.discipline import address_of
from msil_mcp.upstream.errors import CredentialMissing, CredentialsMisconfigured

log = structlog.get_logger()

Pairs = tuple[tuple[str, str], ...]

_FIELD_VALUE: Final = re.compile(r"[\x20-\x7e]+")


class Credentials(Protocol):
    """Finds the credential headers of a call."""

    async def headers(self, tool: ToolVersion, bundle: str | None, /) -> Pairs:
        """Header pairs for a tool reached through a bundle, or none when it needs none.

        Raises CredentialMissing when one is needed and cannot be had.
        """
        ...


@dataclass(frozen=True, slots=True)
class CredentialReference:
    """Where a bundle's credential is found: the name of an environment variable, not its value.

    `bearer` sends `Authorization: Bearer <value>`, `basic` encodes a `user:password` value, and
    `api_key` sends the value as `header`. With an `origin` (`https://api.example.com`) it is sent
    nowhere else; without, wherever the bundle's tools call, and that an import says.
    """

    kind: Literal["bearer", "basic", "api_key"]
    variable: str
    header: str = "Authorization"
    origin: str = ""

    def may_go_to(self, url: str) -> bool:
        """Whether this URL is of the service the credential is for."""
        return not self.origin or _place(self.origin) == _place(url)


def credential_references(
    declared: Mapping[str, Mapping[str, str]],
) -> dict[str, CredentialReference]:
    """The references of bundles as settings declare them; raises CredentialsMisconfigured."""
    try:
        return msgspec.convert(declared, dict[str, CredentialReference])
    except msgspec.ValidationError as error:
        raise CredentialsMisconfigured(problem=str(error).replace("`", "'")) from error


class EnvironmentCredentials:
    """Credentials of bundles, read from an environment at each call so that rotation is seen."""

    def __init__(
        self, references: Mapping[str, CredentialReference], *, environment: Mapping[str, str]
    ) -> None:
        self._references = references
        self._environment = environment

    async def headers(self, tool: ToolVersion, bundle: str | None, /) -> Pairs:
        """The headers of the bundle the call came through, else of the first that has any."""
        reference = self._references.get(bundle) if bundle in tool.bundles else None
        if reference is None:
            found = (self._references[name] for name in tool.bundles if name in self._references)
            reference = next(found, None)
        if reference is None:
            return ()
        if not reference.may_go_to(tool.base_url):
            log.error("upstream_credential_of_another_origin", tool=tool.name, url=tool.base_url)
            raise CredentialMissing
        value = self._environment.get(reference.variable, "").strip()
        if not _FIELD_VALUE.fullmatch(value):
            log.error("upstream_credential_missing", tool=tool.name, variable=reference.variable)
            raise CredentialMissing
        return (_header(reference, value),)


def _place(url: str) -> tuple[str, str, int]:
    return (urlsplit(url).scheme.lower(), *address_of(url))


def _header(reference: CredentialReference, value: str) -> tuple[str, str]:
    match reference.kind:
        case "bearer":
            return ("Authorization", f"Bearer {value}")
        case "basic":
            return ("Authorization", f"Basic {b64encode(value.encode()).decode()}")
        case "api_key":
            return (reference.header, value)
