"""Settings of signing in that contradict each other are refused at the start."""

import pytest
from pydantic import ValidationError

from msil_mcp.settings import Settings


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"oidc_client_id": "msil"}, "MSIL_OIDC_ISSUER"),
        (
            {"oidc_client_id": "msil", "oidc_issuer": "https://a.b", "oidc_scopes": "profile"},
            "MSIL_OIDC_SCOPES",
        ),
        ({"oidc_role_map": {"crew": "user"}}, "oidc_role_map"),
    ],
)
def test_what_cannot_work_is_named(given, named):
    with pytest.raises(ValidationError, match=named):
        Settings(_env_file=None, **given)


def test_an_empty_variable_leaves_one_click_to_the_demo(monkeypatch):
    monkeypatch.setenv("MSIL_LOOPBACK_SIGN_IN", "")

    assert Settings(_env_file=None).loopback_sign_in is None
