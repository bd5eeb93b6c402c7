"""Conversation starters that the OpenAPI document offers to assistants (`x-msil-prompts`)."""

from typing import Any, Final

PROMPTS: Final[list[dict[str, Any]]] = [
    {
        "name": "book_service",
        "title": "Book a car service",
        "description": "Find a dealer and a free slot near a place, and book.",
        "template": (
            "Book a {service_type} service for my car {registration_number} on {date} near "
            "{place}. Look up the vehicle, suggest dealers and free slots, and ask me for what "
            "is missing."
        ),
        "arguments": [
            {
                "name": "registration_number",
                "description": "Number plate, as on the car",
                "required": True,
                "examples": ["MH12AB1234", "DL8CAB7890"],
            },
            {
                "name": "place",
                "description": "City, or area and city",
                "required": True,
                "examples": ["Hinjewadi, Pune", "Andheri, Mumbai", "Whitefield, Bengaluru"],
            },
            {
                "name": "date",
                "description": "When, in your own words",
                "required": True,
                "examples": ["tomorrow", "next Monday"],
            },
            {
                "name": "service_type",
                "description": "regular, express or body_repair",
                "required": True,
                "examples": ["regular", "express", "body_repair"],
            },
        ],
    },
    {
        "name": "check_booking",
        "title": "Check a booking",
        "description": "Say how a booking stands.",
        "template": "What is the status of my booking {booking_id}?",
        "arguments": [
            {
                "name": "booking_id",
                "description": "Begins with BK",
                "required": True,
                "examples": [],
            }
        ],
    },
    {
        "name": "find_dealers",
        "title": "Find dealers nearby",
        "description": "List the nearest dealers and what they offer.",
        "template": "Which dealers are near {place}, and which of them repair bodywork?",
        "arguments": [
            {
                "name": "place",
                "description": "City, or area and city",
                "required": True,
                "examples": ["Baner, Pune", "Dwarka, Delhi"],
            }
        ],
    },
]
