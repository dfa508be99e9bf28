"""Blocks of a Markdown page, and a folder in which they are run as a reader would run them.

A block whose first line is a comment with a file name (`# mine.py`) is written to that file. Python
files are run unless a shell block of the page names them or they are imported there; shell blocks
are run with bash, line by line. Comments before a block say more:

    <!-- skip: why -->            it is not run
    <!-- background -->           each of its lines is left running until the end of the page
    <!-- abreast: 3 -->           it is run by so many processes at once
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
_BLOCK = re.compile(
    r"(?:^<!-- (?P<kind>\w+)(?:: (?P<rest>[^\n]*?))? -->\n)?"
    r"^```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
_NAME = re.compile(r"# ([\w.-]+\.\w+)\n")
_SECONDS = 180
_INSTALL = "pip install"
_ALONE = "--quiet --no-index --no-deps --no-build-isolation --target site"


@dataclass(frozen=True)
class Block:
    """A fenced block; `kind` and `rest` are those of the comment before it."""

    language: str
    text: str
    kind: str = ""
    rest: str = ""

    @property
    def file(self) -> str:
        named = _NAME.match(self.text)
        return named[1] if named else ""


def blocks(page: Path, *languages: str) -> list[Block]:
    """The blocks of a page, in order; only those in the given languages, if any."""
    found = [
        Block(m["language"], m["text"], m["kind"] or "", m["rest"] or "")
        for m in _BLOCK.finditer(page.read_text())
    ]
    return [block for block in found if not languages or block.language in languages]


def links(page: Path) -> list[str]:
    """Files that a page leads to, relative to its folder."""
    return re.findall(r"\]\((?!http)([^)#]+)[^)]*\)", page.read_text())


class Folder:
    """A folder in which blocks are run, with processes in the background.

    `given` are texts of the page and what stands for them here; programs in `first_on_path` stand
    for others. What is installed goes to the folder `site`.
    """

    def __init__(self, path, given=(), first_on_path=None):
        self.path, self.given = path, {_INSTALL: f"{_INSTALL} {_ALONE}", **dict(given)}
        site = path / "site"
        modules = [str(site), os.environ.get("PYTHONPATH", "")]
        programs = [str(first_on_path or ""), str(Path(sys.executable).parent), os.environ["PATH"]]
        self.environment = {
            **os.environ,
            "PATH": os.pathsep.join(filter(None, programs)),
            "PYTHONPATH": os.pathsep.join(filter(None, modules)),
        }
        self._background: list[subprocess.Popen[bytes]] = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self._background:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()

    def run_page(self, page):
        """All blocks in order; returns what they printed."""
        every = blocks(page)
        shell = "\n".join(block.text for block in every if block.language == "sh")
        return [self.run(block, named=block.file in shell) for block in every]

    def run(self, block, *, named=False):
        """One block; `named`: a shell block runs its file."""
        text = block.text
        for theirs, ours in self.given.items():
            text = text.replace(theirs, ours)
        if block.file:
            (self.path / block.file).write_text(text)
        if block.kind == "skip":
            return ""
        if block.kind == "background":
            return self._in_background(text)
        if block.language == "python" and not (block.file and named):
            file = block.file or "block.py"
            (self.path / file).write_text(text)
            return self._run([sys.executable, file])
        if block.language == "sh":
            return self._abreast(text, int(block.rest) if block.kind == "abreast" else 1)
        return ""

    def _run(self, command):
        return self._end(self._start(command))

    def _abreast(self, text, count):
        started = [self._start(["bash", "-ec", text]) for _ in range(count)]
        return "".join([self._end(process) for process in started])

    def _start(self, command):
        return subprocess.Popen(
            command, cwd=self.path, env=self.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def _end(self, process):
        try:
            out, error = process.communicate(timeout=_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        assert process.returncode == 0, f"{process.args}\n{out}\n{error}"
        return out

    def _in_background(self, text):
        for line in filter(None, map(str.strip, text.splitlines())):
            log = (self.path / f"background-{len(self._background)}.log").open("wb")
            with log:
                process = subprocess.Popen(
                    ["bash", "-c", f"exec {line}"], cwd=self.path, env=self.environment,
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                )  # fmt: skip
            self._background.append(process)
        return ""
