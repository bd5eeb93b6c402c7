"""Side-by-side benchmarks: this server, other MCP servers, and the floor below all of them."""
