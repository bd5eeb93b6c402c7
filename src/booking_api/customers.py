"""Who is calling: customers by mobile number."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from booking_api.errors import CustomerNotFound
from booking_api.fields import PII, Answer, Mobile, MobileInput, RequestBody
from booking_api.models import Customer
from booking_api.problems import refusals
from booking_api.resources import ReadSession

router = APIRouter()


class CustomerQuery(RequestBody):
    """The mobile number to look up."""

    mobile: MobileInput


class CustomerProfile(Answer):
    """A customer as the dealers know them."""

    customer_id: Annotated[
        str, Field(description="The customer's id at the dealers.", examples=["CUST-0001"])
    ]
    name: Annotated[
        str,
        Field(
            description="Full name.",
            examples=["Aarav Kulkarni"],
            json_schema_extra={PII: "name"},
        ),
    ]
    mobile: Mobile
    email: Annotated[
        str,
        Field(
            description="E-mail address.",
            examples=["aarav.kulkarni@example.com"],
            json_schema_extra={PII: "email"},
        ),
    ]
    address: Annotated[
        str,
        Field(
            description="Postal address.",
            examples=["Flat 402, Example Heights, Hinjewadi Phase 1, Pune 411057"],
            json_schema_extra={PII: "address"},
        ),
    ]
    city: Annotated[
        str,
        Field(
            description="City of residence; a good first city for get_nearby_dealers.",
            examples=["Pune"],
        ),
    ]


async def customer_with_mobile(session: AsyncSession, *, mobile: str) -> Customer:
    """The customer registered under ten digits.

    Raises:
        CustomerNotFound: Nobody is.
    """
    found = await session.scalar(select(Customer).where(Customer.mobile == mobile))
    if found is None:
        raise CustomerNotFound
    return found


@router.post(
    "/api/customer/resolve",
    operation_id="resolve_customer",
    summary="Find a customer by mobile number",
    response_description="The customer.",
    responses=refusals(CustomerNotFound),
    openapi_extra={"x-msil-class": "read", "x-msil-audit-subjects": ["customer_id"]},
)
async def resolve_customer(body: CustomerQuery, session: ReadSession) -> CustomerProfile:
    """Look up the customer registered under an Indian mobile number.

    Use it to greet a caller by name, or to check that a number is registered before booking. It
    changes nothing. When nobody is registered under the number the answer is a 404 problem.
    """
    customer = await customer_with_mobile(session, mobile=body.mobile)
    return CustomerProfile.model_validate(customer)
