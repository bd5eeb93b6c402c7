"""People who sign in, with the language they chose."""

from dataclasses import dataclass, fields
from itertools import count
from typing import Any

from running import Product

PASSWORD = "a long enough secret"
_numbers = count(1)


@dataclass
class SignedIn(Product):
    """The product as one person's browser uses it, whatever role a request names."""

    cookie: str = ""

    def headers(self, role: str = "user") -> dict[str, str]:
        return {"Cookie": self.cookie, "X-Requested-With": "test"}

    async def choose(self, **preferences: Any) -> None:
        """Change what this person prefers."""
        reply = await self.request("PATCH", "/api/auth/me", json={"preferences": preferences})
        assert reply.status == 200, reply.body


async def signed_in(product: Product, *, role: str = "user", **preferences: Any) -> SignedIn:
    """A new person of a role, signed in."""
    name = f"person{next(_numbers)}"
    body = {
        "username": name,
        "display_name": name.title(),
        "password": PASSWORD,
        "roles": [role],
        "preferences": preferences,
    }
    made = await product.request("POST", "/api/users", role="administrator", json=body)
    assert made.status == 201, made.body
    login = {"username": name, "password": PASSWORD}
    entered = await product.request("POST", "/api/auth/login", role=None, json=login)
    assert entered.status == 200, entered.body
    facts = {field.name: getattr(product, field.name) for field in fields(Product)}
    return SignedIn(**facts, cookie=entered.headers["set-cookie"].partition(";")[0])
