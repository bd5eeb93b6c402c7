"""A small OpenAI-compatible model server of our own: deterministic, stateless, two languages."""
