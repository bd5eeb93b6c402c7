"""The last link of a call: request to answer."""

from msil_mcp.upstream.credentials import (
    CredentialReference,
    Credentials,
    EnvironmentCredentials,
    credential_references,
)
from msil_mcp.upstream.discipline import Discipline
from msil_mcp.upstream.invoker import UpstreamInvoker, upstream_key

__all__ = [
    "CredentialReference",
    "Credentials",
    "Discipline",
    "EnvironmentCredentials",
    "UpstreamInvoker",
    "credential_references",
    "upstream_key",
]
