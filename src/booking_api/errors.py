"""The one tree of domain errors; each writes a sentence that says what to do next."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import ClassVar


class BookingError(Exception):
    """Root of every refusal of this service; `str(error)` is the problem's detail."""

    status: ClassVar[int]
    slug: ClassVar[str]
    title: ClassVar[str]
    retry_after: ClassVar[int | None] = None


class CustomerNotFound(BookingError):
    """Nobody is registered under this mobile number."""

    status = 404
    slug = "customer_not_found"
    title = "Customer not found"

    def __init__(self) -> None:
        super().__init__(
            "No customer is registered under this mobile number. Ask for the number given at the "
            "dealer, and try again with all 10 digits."
        )


class VehicleNotFound(BookingError):
    """No vehicle carries this plate."""

    status = 404
    slug = "vehicle_not_found"
    title = "Vehicle not found"

    def __init__(self, *, registration_number: str) -> None:
        super().__init__(
            f"No vehicle is registered as {registration_number}. Check the plate with the "
            "customer, letter by letter, and try again."
        )


class DealerNotFound(BookingError):
    """No dealer has this code."""

    status = 404
    slug = "dealer_not_found"
    title = "Dealer not found"

    def __init__(self, *, dealer_code: str) -> None:
        super().__init__(
            f"There is no dealer {dealer_code}. Call get_nearby_dealers and use a dealer_code "
            "from its answer."
        )


class CityNotServed(BookingError):
    """There is no dealer in this city."""

    status = 404
    slug = "city_not_served"
    title = "City not served"

    def __init__(self, *, cities: Iterable[str]) -> None:
        super().__init__(
            f"There is no dealer in this city. Cities with dealers: {', '.join(cities)}."
        )


class AreaNotKnown(BookingError):
    """The city has no such area on its map."""

    status = 404
    slug = "area_not_known"
    title = "Area not known"

    def __init__(self, *, city: str, areas: Iterable[str]) -> None:
        super().__init__(
            f"This area of {city} is not known. Leave area out to measure from the centre of "
            f"{city}, or use one of: {', '.join(areas)}."
        )


class BookingNotFound(BookingError):
    """No booking has this id."""

    status = 404
    slug = "booking_not_found"
    title = "Booking not found"

    def __init__(self, *, booking_id: str) -> None:
        super().__init__(
            f"There is no booking {booking_id}. Check the id; it is the booking_id that "
            "create_service_booking returned."
        )


class VehicleOfAnotherCustomer(BookingError):
    """The pairing of mobile number and plate is wrong; whose vehicle it is stays private."""

    status = 422
    slug = "vehicle_of_another_customer"
    title = "Vehicle belongs to another customer"

    def __init__(self, *, registration_number: str) -> None:
        super().__init__(
            f"{registration_number} is not registered to the customer with this mobile number. "
            "Ask for the mobile number of the vehicle's owner, or check the plate."
        )


class ServiceNotOffered(BookingError):
    """The dealer does not do this kind of work."""

    status = 422
    slug = "service_not_offered"
    title = "Service not offered"

    def __init__(self, *, dealer_code: str, service_type: str, offered: Iterable[str]) -> None:
        super().__init__(
            f"{dealer_code} does not offer {service_type}; it offers {', '.join(offered)}. Choose "
            f"one of these, or call get_nearby_dealers with service_type {service_type}."
        )


class OutsideBookingWindow(BookingError):
    """The day is in the past or too far ahead."""

    status = 422
    slug = "outside_booking_window"
    title = "Date outside the booking window"

    def __init__(self, *, day: date, today: date, last: date) -> None:
        fault = "in the past" if day < today else "too far ahead"
        super().__init__(f"{day} is {fault}. Choose a date from {today} (today) to {last}.")


class DealerClosed(BookingError):
    """Nobody works that day."""

    status = 422
    slug = "dealer_closed"
    title = "Dealer closed"

    def __init__(self, *, day: date, reason: str, next_open: date) -> None:
        super().__init__(
            f"Dealers are closed on {day}, {reason}. The next open day is {next_open}."
        )


class NotASlot(BookingError):
    """No slot starts at this time."""

    status = 422
    slug = "not_a_slot"
    title = "Not a slot"

    def __init__(self, *, slot_time: str, slot_times: Sequence[str]) -> None:
        super().__init__(f"No slot starts at {slot_time}. Choose one of {', '.join(slot_times)}.")


class SlotPassed(BookingError):
    """The slot has already begun."""

    status = 422
    slug = "slot_passed"
    title = "Slot has passed"

    def __init__(self, *, day: date, slot_time: str) -> None:
        super().__init__(
            f"The slot at {slot_time} on {day} has already begun. Call get_available_slots and "
            "choose a later one."
        )


class SlotFull(BookingError):
    """Every seat of the slot is taken."""

    status = 409
    slug = "slot_full"
    title = "Slot is full"

    def __init__(self, *, dealer_code: str, day: date, slot_time: str) -> None:
        super().__init__(
            f"The slot at {slot_time} on {day} at {dealer_code} is full. Call get_available_slots "
            "and choose another one."
        )


class IdempotencyKeyReused(BookingError):
    """The key stands for another booking."""

    status = 422
    slug = "idempotency_key_reused"
    title = "Idempotency key reused"

    def __init__(self) -> None:
        super().__init__(
            "This Idempotency-Key was used for a booking with other details. Use a new key for a "
            "new booking, or repeat the first request unchanged."
        )


class DatabaseBusy(BookingError):
    """The database did not answer in time; a booking under way may or may not have been made."""

    status = 503
    slug = "database_busy"
    title = "Database busy"
    retry_after = 1

    def __init__(self) -> None:
        super().__init__(
            "The booking database is busy or cannot be reached. Try again in a few seconds; with "
            "the same Idempotency-Key a booking that was made is returned, not made twice."
        )
