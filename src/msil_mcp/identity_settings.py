"""The settings of signing in, apart from the rest for their number; `Settings` has them all."""

from typing import Annotated, Self

from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode


class IdentitySettings(BaseModel):
    """Who may sign in, and how."""

    oidc_issuer: str = Field(
        "",
        description="Issuer whose access tokens are accepted as bearer tokens, and where people "
        "sign in when there is a client id. Empty: none.",
    )
    oidc_audience: str = Field(
        "", description="Audience an access token must name. Empty: the MCP URL."
    )
    oidc_jwks_url: str = Field(
        "", description="Key set URL. Empty: found through the issuer's metadata."
    )
    oidc_algorithms: Annotated[tuple[str, ...], NoDecode] = Field(
        ("RS256", "ES256", "EdDSA", "PS256"),
        description="Signature algorithms accepted, separated by commas.",
    )
    oidc_client_id: str = Field(
        "",
        description="This server's client id at the issuer, for people who sign in to the web "
        "apps. Empty: they do not sign in there.",
    )
    oidc_client_secret: SecretStr | None = Field(
        None, description="The client's secret. Empty: a public client, held by PKCE alone."
    )
    oidc_scopes: str = Field(
        "openid profile email",
        description="Scopes asked for when people sign in, separated by spaces.",
    )
    oidc_label: str = Field(
        "Single sign-on", description="What the sign-in page calls the identity provider."
    )
    oidc_roles_claim: str = Field(
        "roles", description="Claim with the roles; dots step into objects."
    )
    oidc_role_map: dict[str, list[str]] = Field(
        {},
        description="JSON object: for each value of the roles claim the roles it stands for here; "
        "other values then stand for none. Empty: a value is the name of a role.",
    )
    oidc_default_role: str = Field(
        "",
        description="Role of a token, or of a person signing in, whose claim names none. Empty: "
        "no role, hence no tools and no sign-in.",
    )
    loopback_sign_in: bool | None = Field(
        None,
        description="Whether whoever sits at this machine signs in as `admin` with one click, on a "
        "server that listens on loopback only. Never behind a proxy. Empty: in the demo alone.",
    )

    @field_validator("loopback_sign_in", mode="before")
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        return None if value == "" else value

    @model_validator(mode="after")
    def _client_needs_its_provider(self) -> Self:
        if self.oidc_client_id and not self.oidc_issuer:
            raise ValueError("MSIL_OIDC_CLIENT_ID is of no use without MSIL_OIDC_ISSUER.")
        if self.oidc_client_id and "openid" not in self.oidc_scopes.split():
            raise ValueError("MSIL_OIDC_SCOPES must hold openid, or nobody can be told apart.")
        return self
