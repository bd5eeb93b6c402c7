"""A booking to make, and a person's agreement to it."""

from datetime import timedelta
from typing import Any

from booking_api.schedule import india_now, next_open_day
from running import Product


def order(**changes: str) -> dict[str, Any]:
    day = next_open_day(india_now().date() + timedelta(days=3))
    return {
        "customer_mobile": "9876543211",
        "vehicle_registration": "MH12CD5678",
        "dealer_code": "MSIL-PUNE-003",
        "appointment_date": day.isoformat(),
        "appointment_time": "15:30",
        "service_type": "regular",
    } | changes


async def agreed(product: Product, tool: str, arguments: dict[str, Any], *, key: str) -> str:
    """Ask for a write, have an administrator agree, and return the approval's id."""
    asked = await product.call(tool, arguments, key=key)
    assert asked.status == 202, asked.body
    approval: str = asked.json["confirmation"]["approval_id"]
    path = f"/api/approvals/{approval}/decision"
    answer = await product.request("POST", path, role="administrator", json={"decision": "approve"})
    assert answer.status == 200, answer.body
    return approval
