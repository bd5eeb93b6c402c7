"""What a provider's claims say of roles: found at a path, then named in our words."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from msil_mcp.settings import Settings


class RoleClaims(NamedTuple):
    """Where the claim is, and what its values stand for here; without a map, for themselves."""

    path: str
    role_map: Mapping[str, Sequence[str]]

    @classmethod
    def from_settings(cls, settings: Settings) -> "RoleClaims":
        """As configured."""
        return cls(settings.oidc_roles_claim, settings.oidc_role_map)

    def read(self, claims: Mapping[str, Any]) -> tuple[str, ...] | None:
        """The roles named, known here or not; None when the claim is absent altogether."""
        found = _claim_at(claims, self.path)
        if found is None:
            return None
        values = _names(found)
        if not self.role_map:
            return values
        return tuple(role for value in values for role in self.role_map.get(value, ()))


def _claim_at(claims: Mapping[str, Any], path: str) -> Any:
    """The claim at a path; one whose own name has dots is found first."""
    found: Any = claims.get(path)
    if found is None:
        found = claims
        for step in path.split("."):
            found = found.get(step) if isinstance(found, dict) else None
    return found


def _names(claim: Any) -> tuple[str, ...]:
    if isinstance(claim, str):
        return tuple(claim.split())
    if isinstance(claim, list):
        return tuple(name for name in claim if isinstance(name, str))
    return ()
