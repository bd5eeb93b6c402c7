"""The one guarded HTTP client: upstreams, documents, key sets, webhooks and models."""

from msil_mcp.egress.addresses import is_metadata, refusal
from msil_mcp.egress.client import Answer, Egress
from msil_mcp.egress.errors import (
    AnswerTooLarge,
    EgressError,
    EgressMisconfigured,
    EgressRefused,
    FetchFailed,
    UpstreamDisconnected,
    UpstreamGarbled,
    UpstreamTimeout,
    UpstreamUnreachable,
)

__all__ = [
    "Answer",
    "AnswerTooLarge",
    "Egress",
    "EgressError",
    "EgressMisconfigured",
    "EgressRefused",
    "FetchFailed",
    "UpstreamDisconnected",
    "UpstreamGarbled",
    "UpstreamTimeout",
    "UpstreamUnreachable",
    "is_metadata",
    "refusal",
]
