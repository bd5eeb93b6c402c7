"""The catalogue: bundles, tools and their versions, and the call every door makes."""
