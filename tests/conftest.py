"""Fixtures every test may use."""

import os
import shutil
from collections.abc import Callable, Iterator

import pytest

from booking_api.app import create_app as create_booking_app
from booking_api.settings import BookingSettings
from databases import Templates, settings_for
from isolation import loopback_only
from running import Booking, Product, product, serving


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def no_outside() -> Iterator[None]:
    """No test reaches a real model, or anything else beyond this machine."""
    with loopback_only():
        yield


@pytest.fixture
def component() -> Callable[[str], str]:
    """The path of a program, or a skip; with MSIL_REQUIRE_ALL=1 a missing one is a failure."""

    def find(program: str) -> str:
        found = shutil.which(program)
        if found is not None:
            return found
        if os.environ.get("MSIL_REQUIRE_ALL") == "1":
            pytest.fail(f"{program} is not installed, and MSIL_REQUIRE_ALL=1 asks for all parts")
        pytest.skip(f"{program} is not installed")

    return find


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Templates]:
    made = Templates(tmp_path_factory.mktemp("databases"))
    yield made
    made.close()


@pytest.fixture(scope="session")
def booking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Booking]:
    """The booking service, shared by every test of a worker."""
    settings = BookingSettings(data_dir=tmp_path_factory.mktemp("booking"), _env_file=None)
    with serving(create_booking_app(settings)) as (url, _):
        yield Booking(url, settings.data_dir / "booking.db")


@pytest.fixture(scope="session")
def booking_url(booking: Booking) -> str:
    return booking.url


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared_product(
    request: pytest.FixtureRequest, templates: Templates, booking_url: str
) -> Iterator[Product]:
    """The product on each database, shared by the tests of a module."""
    with (
        templates.clone(request.param) as url,
        product(settings_for(url), booking_url=booking_url) as running,
    ):
        yield running
