"""The command `automl-nas`: its own commands, and one for each registered study that has one.

Studies such as `compare` are found by entry point; nothing heavy is imported before it is needed.
A user's mistake ends with one line on standard error and exit code 2, never with a traceback.
"""

from __future__ import annotations

import sys

import click

from automl_nas import registry
from automl_nas.commands.data import data
from automl_nas.commands.keeping import delete, rename, studies
from automl_nas.commands.options import url
from automl_nas.commands.running import resume, run
from automl_nas.commands.selftest import selftest
from automl_nas.errors import AutoMLNASError, UnknownName


class _Commands(click.Group):
    """Built-in commands, then those of registered studies."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        own = super().list_commands(ctx)
        studies = [name for name in registry.names("study") if name not in own]
        return own + [name for name in studies if self.get_command(ctx, name)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        own = super().get_command(ctx, cmd_name)
        if own is not None or cmd_name not in registry.names("study"):
            return own
        try:
            command = getattr(registry.load("study", cmd_name), "command", None)
        except AutoMLNASError as error:
            return _broken(cmd_name, error)
        return command if isinstance(command, click.Command) else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            if args[0] in registry.names("study"):
                raise AutoMLNASError(
                    f"study {args[0]!r} has no command of its own: `automl-nas run {args[0]}`."
                )
            raise UnknownName("command", args[0], self.list_commands(ctx))
        return super().resolve_command(ctx, args)


def _broken(name: str, error: AutoMLNASError) -> click.Command:
    """Stands for a study that cannot be imported, so that the other commands go on working."""

    def fail() -> None:
        raise error

    return click.Command(name, callback=fail, short_help="(cannot be imported)")


@click.group(cls=_Commands)
@click.version_option(package_name="automl_nas")
def cli() -> None:
    """Architecture and hyperparameter search: one space, one record, every kind of searcher."""


@cli.command("list")
def list_() -> None:
    """Show the registered searchers, spaces and studies."""
    from automl_nas.terminal import catalogue

    catalogue()


@cli.command()
@click.argument("storage")
@click.option("--out", default="report.html", show_default=True, help="The page to write.")
def report(storage: str, out: str) -> None:
    """Write the HTML report of all studies in STORAGE (an URL or the path of an SQLite file)."""
    from automl_nas import report as reports
    from automl_nas.results import load

    results = load(url(storage))
    path = reports.write(results, out, title=f"Studies in {storage}")
    click.echo(f"wrote {path}")


@cli.command()
def doctor() -> None:
    """Check the installation: versions, engines, packages in the way."""
    from automl_nas.doctor import diagnose

    sys.exit(0 if diagnose() else 1)


for _command in (run, resume, studies, rename, delete, data, selftest):
    cli.add_command(_command)


def main() -> None:
    """Entry point of the console script."""
    guarded(cli)


def guarded(command: click.Command) -> None:
    """Runs a command and ends the process; a user's mistake is one line, never a traceback."""
    try:
        code = command(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("stopped; run the same command again to go on.", err=True)
        code = 130
    except AutoMLNASError as error:
        click.echo(f"error: {error}", err=True)
        code = 2
    sys.exit(code)
