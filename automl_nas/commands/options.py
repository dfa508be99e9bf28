"""Options and arguments that several commands share."""

from __future__ import annotations

import click

SEARCHER = click.option(
    "--searcher",
    "searchers",
    multiple=True,
    metavar="NAME",
    help='Only this one, such as optuna:tpe or "optuna:tpe multivariate=false"; may be repeated.',
)
WORKERS = click.option(
    "--workers", type=click.IntRange(1), help="Processes. [default: one per core]"
)
ACCEPT = click.option(
    "--accept", multiple=True, help="A part that may differ from the stored study's."
)


def url(storage: str) -> str:
    """An URL as it is; a path means an SQLite file."""
    return storage if ":" in storage else f"sqlite:///{storage}"
