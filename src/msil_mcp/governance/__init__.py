"""One small wrapper per rule around the invoker."""
