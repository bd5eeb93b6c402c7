"""Dealer service bookings: a small real HTTP API with its own database."""

API_VERSION = "1.0.0"
