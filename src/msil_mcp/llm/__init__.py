"""Language models: providers, prices, tool schemas, and the scripted model."""
