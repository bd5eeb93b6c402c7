"""The last link of a call: request to answer."""
