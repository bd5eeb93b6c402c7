"""Append-only, hash-chained, masked when written."""
