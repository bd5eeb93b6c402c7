"""`msil-mcp`, and `python -m msil_mcp`: the entry point, which needs nothing but Python itself."""

import sys


def main() -> None:
    """Run the command line; what is not installed is named, with what to do about it."""
    try:
        from msil_mcp.cli import main as run

        run()
    except ModuleNotFoundError as missing:
        package = (missing.name or "a package").partition(".")[0]
        sys.exit(
            f"error: {package} is not installed in {sys.prefix}. "
            "In the environment that runs this: pip install -r requirements.txt, "
            "then pip install --no-deps -e ."
        )


if __name__ == "__main__":
    main()
