"""The MCP endpoint: transport, dispatch and both protocol eras over one governed invoker."""
