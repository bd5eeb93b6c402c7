"""Webhooks: what happens here is posted to who subscribed, signed, at least once."""
