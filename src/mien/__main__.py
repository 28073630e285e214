"""The command `mien`, also `python -m mien`."""

import sys

from mien.cli import interruption


def main() -> int:
    """Run the command line of this process and return the exit code."""
    interruption.listen()
    from mien.cli.main import main as run  # it is interrupted like the command

    try:
        code = run()
        interruption.enter(interruption.DONE)
    except KeyboardInterrupt:  # between the command and its sentence; it is raised once
        return interruption.say()
    return code


if __name__ == "__main__":
    sys.exit(main())
