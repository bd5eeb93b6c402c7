"""Conversations: sessions, messages, runs and what tools did in them; tools only by the invoker."""
