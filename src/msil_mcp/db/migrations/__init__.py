"""Schema migrations; versions/ holds one file a step."""
