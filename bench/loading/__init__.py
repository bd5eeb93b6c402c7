"""Load on the whole product: how it feels to a hundred users, and how much it takes."""
