"""Prints the OpenAPI document of our own REST routes; the web apps' client is generated from it."""

import json
import sys
import tempfile

from msil_mcp.main import create_app
from msil_mcp.settings import Settings

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as data:
        document = create_app(Settings(data_dir=data)).openapi()
    json.dump(document, sys.stdout, indent=1, sort_keys=True)
