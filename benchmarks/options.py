"""What all measurements can be asked on their command lines."""

import argparse

ROUNDS = 9


def parser(description: str | None) -> argparse.ArgumentParser:
    """Knows `--rounds`; it describes itself with the first line of a module's docstring."""
    made = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    made.add_argument("--rounds", type=int, default=ROUNDS, help="the medians of so many are printed")
    return made


def read_rounds(description: str | None) -> int:
    """The number of rounds, where nothing else can be asked."""
    rounds: int = parser(description).parse_args().rounds
    return rounds
