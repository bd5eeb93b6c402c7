"""Conversations that are held with a model to see what it does, and how they are scored."""
