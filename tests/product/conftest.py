"""The product on the embedded database, where it does not matter which one it is."""

from collections.abc import Iterator

import pytest

from databases import Templates, settings_for
from product.ledger import Ledger, running_ledger
from running import Product
from running import product as running_product


@pytest.fixture(scope="module")
def embedded_product(templates: Templates, booking_url: str) -> Iterator[Product]:
    with (
        templates.clone("sqlite") as url,
        running_product(settings_for(url), booking_url=booking_url) as product,
    ):
        yield product


@pytest.fixture(scope="module")
def ledger() -> Iterator[Ledger]:
    with running_ledger() as ledger:
        yield ledger
