"""The composition root: the application, its OpenAPI document, and a way to run it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from fastapi import FastAPI
from starlette.responses import JSONResponse

from booking_api import API_VERSION, bookings, customers, dealers, slots, vehicles
from booking_api.database import create_tables, open_database, ping
from booking_api.identifiers import draw_suffix as draw_random_suffix
from booking_api.middleware import Edge
from booking_api.problems import PROBLEM_JSON, install_problem_handlers
from booking_api.prompts import PROMPTS
from booking_api.resources import Held, Resources
from booking_api.schedule import Clock, india_now
from booking_api.seed import plant
from booking_api.settings import BookingSettings

TAG: Final = "service_booking"
_TITLE: Final = "MSIL Service Booking API"
_DESCRIPTION: Final = (
    "Book car services at dealers: find the customer and the vehicle, choose a dealer and a slot, "
    "book it, and look the booking up. Dates and times are in India (Asia/Kolkata). Every refusal "
    "is an RFC 9457 problem whose detail says what to do next."
)


def create_app(
    settings: BookingSettings | None = None,
    *,
    clock: Clock = india_now,
    draw_suffix: Callable[[], str] = draw_random_suffix,
) -> FastAPI:
    """The service. Its lifespan opens the database, makes the tables and plants the seed.

    `clock` decides what today is and `draw_suffix` ends new booking ids.
    """
    chosen = settings or BookingSettings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        database = open_database(chosen.effective_database_url)
        try:
            async with database.writing.begin() as session:
                await create_tables(session)
                await plant(session)
            app.state.resources = Resources(database=database, clock=clock, draw_suffix=draw_suffix)
            yield
        finally:
            await database.close()

    app = BookingApplication(
        title=_TITLE,
        version=API_VERSION,
        description=_DESCRIPTION,
        openapi_tags=[{"name": TAG, "description": "The journey of booking a car service."}],
        servers=[{"url": chosen.base_url}],
        lifespan=lifespan,
        redirect_slashes=False,
        # Their scripts come from another origin, and this one may have no way there.
        docs_url=None,
        redoc_url=None,
    )
    app.add_middleware(Edge)
    install_problem_handlers(app)
    for part in (customers, vehicles, dealers, slots, bookings):
        app.include_router(part.router, tags=[TAG])
    app.add_api_route("/health", health, include_in_schema=False)
    app.add_api_route("/ready", ready, include_in_schema=False)
    return app


class BookingApplication(FastAPI):
    """FastAPI whose document is tidied for readers that pay by the token.

    Refusals are declared under the media type they are sent with, paragraphs are one line each,
    and titles that only repeat a field's name are left out.
    """

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI 3.1 document, built once."""
        if self.openapi_schema is not None:
            return self.openapi_schema
        document = super().openapi()
        document["x-msil-prompts"] = PROMPTS
        for path in document["paths"].values():
            for operation in path.values():
                _tidy_operation(operation)
        for schema in document["components"]["schemas"].values():
            for field in schema["properties"].values():
                field.pop("title", None)
        return document


def _tidy_operation(operation: dict[str, Any]) -> None:
    paragraphs = operation["description"].split("\n\n")
    operation["description"] = "\n\n".join(" ".join(text.split()) for text in paragraphs)
    for parameter in operation.get("parameters", []):
        for repeated in ("title", "description"):
            parameter["schema"].pop(repeated, None)
    for status, response in operation["responses"].items():
        if status >= "400":
            response["content"][PROBLEM_JSON] = response["content"].pop("application/json")


def openapi_document(*, server_url: str | None = None) -> dict[str, Any]:
    """The OpenAPI document without a running server or a database.

    Args:
        server_url: The base URL for its servers entry; by default that of the settings.
    """
    settings = BookingSettings()
    if server_url is not None:
        settings = settings.model_copy(update={"public_url": server_url})
    return create_app(settings).openapi()


def serve(host: str, port: int, *, settings: BookingSettings | None = None) -> None:
    """Run the service until it is interrupted."""
    import uvicorn  # only a server needs it, and the document is imported far more often

    chosen = (settings or BookingSettings()).model_copy(update={"host": host, "port": port})
    uvicorn.run(create_app(chosen), host=host, port=port, log_level=chosen.log_level, ws="none")


async def health() -> dict[str, str]:
    """The process answers."""
    return {"status": "healthy", "service": _TITLE, "version": API_VERSION}


async def ready(resources: Held) -> JSONResponse:
    """The database answers too; otherwise the problem handlers send 503."""
    await ping(resources.database)
    return JSONResponse({"status": "ready", "checks": {"database": "healthy"}})
