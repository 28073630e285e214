"""The command `mien`, also `python -m mien`."""

import sys

from mien.cli import interruption


def main() -> int:
    """Run the command line of this process and return the exit code."""
    interruption.listen()
    from mien.cli.main import main as run  # it is interrupted like the command

    code = run()
    interruption.enter(interruption.DONE)
    return code


if __name__ == "__main__":
    sys.exit(main())
