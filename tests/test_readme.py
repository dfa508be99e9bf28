"""What a reader can copy from the README is run as it stands."""

from __future__ import annotations

import re

import pytest

from automl_nas.cli import cli
from tests.pages import ROOT, Folder, blocks, links

PAGE = ROOT / "README.md"
README = PAGE.read_text()
BLOCKS = blocks(PAGE, "python")


@pytest.mark.slow
@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.text.splitlines()[0][:40])
def test_python_blocks_run_and_run_again(block, tmp_path):
    with Folder(tmp_path) as folder:
        first, again = folder.run(block), folder.run(block)
    assert first == again
    assert list(tmp_path.glob("*.db"))


def test_the_commands_are_tox_environments():
    environments = re.findall(r"tox run -e ([\w,]+)", README)
    known = set(re.findall(r"\[testenv:(\w+)\]", (ROOT / "tox.ini").read_text()))
    assert environments
    assert {name for names in environments for name in names.split(",")} <= known


def test_the_subcommands_exist():
    named = re.search(r"`automl-nas (\w+(?: \| \w+)+)`", README)[1].split(" | ")
    assert set(named) == set(cli.commands)


@pytest.mark.parametrize("path", links(PAGE))
def test_links_lead_somewhere(path):
    assert (ROOT / path).exists()
