"""`jaxhop` and `python -m jaxhop`."""

import sys


def main() -> None:
    """Runs the command line, or says what it lacks."""
    try:
        from jaxhop._cli import cli
    except ModuleNotFoundError as error:
        if error.name not in ("click", "yaml"):
            raise
        message = f'`jaxhop` needs {error.name}. Run `pip install "jaxhop[cli]"`.'
        print(message, file=sys.stderr)
        sys.exit(2)
    cli(prog_name="jaxhop")


if __name__ == "__main__":
    main()
