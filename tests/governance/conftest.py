"""The product with a service behind it that answers what a test wants."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from databases import Templates, settings_for
from governance.office import Office, document
from running import Product, Reply, product, serving


@dataclass
class Desk:
    """The product, the service behind it, and what one does with both."""

    product: Product
    office: Office
    url: str

    async def bring(
        self, raw: bytes, *, bundle: str = "service_booking", publish: bool = True
    ) -> Reply:
        """Import a document, in force at once and in the bundle the role `user` sees."""
        query = f"bundle={bundle}&publish={str(publish).lower()}&allow_private=true"
        path = f"/api/specs?{query}"
        return await self.product.request("POST", path, role="administrator", data=raw)

    async def decide(self, approval: str, answer: str = "approve") -> Reply:
        """An administrator answers."""
        path = f"/api/approvals/{approval}/decision"
        body = {"decision": answer}
        return await self.product.request("POST", path, role="administrator", json=body)

    async def agreed(self, tool: str, arguments: dict[str, Any]) -> str:
        """Ask for a write and have it approved; returns the approval's id."""
        asked = await self.product.call(tool, arguments)
        assert asked.status == 202, asked.body
        approval: str = asked.json["confirmation"]["approval_id"]
        assert (await self.decide(approval)).status == 200
        return approval


@pytest.fixture(scope="session")
def office() -> Iterator[tuple[str, Office]]:
    app = Office()
    with serving(app) as (url, _):
        yield url, app


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def desk(
    request: pytest.FixtureRequest,
    templates: Templates,
    booking_url: str,
    office: tuple[str, Office],
) -> Iterator[Desk]:
    url, app = office
    with (
        templates.clone(request.param) as database,
        product(settings_for(database), booking_url=booking_url) as running,
    ):
        at = Desk(running, app, url)
        assert asyncio.run(at.bring(document(url))).status == 200
        yield at
