"""What a reader can copy from the README is run as it stands."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.slow
@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.splitlines()[0][:40])
def test_python_blocks_run_and_run_again(block, tmp_path):
    (tmp_path / "user.py").write_text(block)

    def run():
        return subprocess.run(
            [sys.executable, "user.py"], cwd=tmp_path, capture_output=True, text=True, check=False
        )

    first, again = run(), run()
    assert (first.returncode, again.returncode) == (0, 0), first.stderr + again.stderr
    assert first.stdout == again.stdout
    assert list(tmp_path.glob("*.db"))


def test_the_commands_are_tox_environments():
    environments = re.findall(r"tox run -e ([\w,]+)", README)
    known = set(re.findall(r"\[testenv:(\w+)\]", (ROOT / "tox.ini").read_text()))
    assert environments
    assert {name for names in environments for name in names.split(",")} <= known


@pytest.mark.parametrize("path", re.findall(r"\]\((?!http)([^)]+)\)", README))
def test_links_lead_somewhere(path):
    assert (ROOT / path).exists()
