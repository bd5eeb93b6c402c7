"""`python -m booking_api`: serve with the settings of the environment."""

from booking_api.app import serve
from booking_api.settings import BookingSettings

if __name__ == "__main__":
    settings = BookingSettings()
    serve(settings.host, settings.port, settings=settings)
