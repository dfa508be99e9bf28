"""The how-to pages: what a reader can copy is run as it stands, block after block."""

from __future__ import annotations

import re

import pytest

from tests.pages import ROOT, Folder, blocks, links
from tests.postgres import BINARIES, free_port
from tests.postgres import postgres as postgres

PAGES = ROOT / "docs/how-to"
OTHERS = [*(ROOT / "docs").glob("*.md"), *(ROOT / "docs/decisions").glob("*.md")]

SBATCH = """#!/bin/bash
# SLURM's promise and no more: the script is copied, run later, and cancelled by its number.
bash -n "$1" || exit 1
cp "$1" "job-$$.sh"
setsid bash "job-$$.sh" > "job-$$.log" 2>&1 &
echo "Submitted batch job $!"
"""
SCANCEL = """#!/bin/bash
for job in "$@"; do kill -- "-$job"; done
"""


@pytest.mark.slow
def test_your_own_searcher(tmp_path):
    pytest.importorskip("setuptools", reason="`pip install .` builds with it")
    page = PAGES / "your-own-searcher.md"
    searcher = blocks(page, "python")[0].text
    assert len(searcher.splitlines()) <= 40
    with Folder(tmp_path) as folder:
        said = "\n".join(folder.run_page(page))
    assert " passed" in said
    assert "cross-entropy" in said
    assert "CrossEntropySearcher(" in said
    assert "1 of 1 searchers resumed exactly" in said


@pytest.mark.slow
def test_resume(tmp_path):
    with Folder(tmp_path) as folder:
        said = "\n".join(folder.run_page(PAGES / "resume.md"))
    assert "killed" in said
    assert "unfinished" in said
    assert said.count("20 records,") == 2
    assert "30 records" in said
    assert "finished: 1 of 1 studies." in said
    assert "population_size: stored 8, given 10" in said
    assert "20 records with theirs" in said


@pytest.fixture
def slurm(tmp_path):
    """A folder with `sbatch` and `scancel` that run jobs on this machine."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, script in (("sbatch", SBATCH), ("scancel", SCANCEL)):
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    return folder


@pytest.mark.slow
def test_many_machines(tmp_path, slurm, request):
    pytest.importorskip("dask_jobqueue")
    port, here = free_port(), tmp_path / "page"
    here.mkdir()
    server = request.getfixturevalue("postgres").url if BINARIES else f"sqlite:///{tmp_path}/s.db"
    given = {
        "tcp://head:8786": f"tcp://127.0.0.1:{port}",
        "--port 8786": f"--port {port} --host 127.0.0.1 --dashboard-address :0",
        "postgresql+psycopg://nas:secret@db.example/nas": server,
    }
    with Folder(here, given, first_on_path=slurm) as folder:
        said = "\n".join(folder.run_page(PAGES / "many-machines.md"))
    for words, times in (("here", 1), ("of the cluster", 1), ("of jobs", 1), ("of all", 3)):
        assert said.count(f"20 records {words}") == times, said
    jobs = [path.read_text() for path in here.glob("job-*.sh")]
    assert 1 <= len(jobs) <= 4
    assert all("#SBATCH --gres=gpu:1" in job and "--resources GPU=1" in job for job in jobs)


@pytest.mark.parametrize("page", sorted([*PAGES.glob("*.md"), *OTHERS]), ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    for link in links(page):
        assert (page.parent / link).exists(), link


def test_the_architecture_names_every_module():
    text = (ROOT / "docs/architecture.md").read_text()
    words = set(re.findall(r"`([\w*/]+)(?:\.py)?`", text))
    modules = {path.stem for path in (ROOT / "automl_nas").glob("[!_]*.py")}
    packages = {f"{path.parent.name}/" for path in (ROOT / "automl_nas").glob("*/__init__.py")}
    searchers = {path.stem for path in (ROOT / "automl_nas/searchers").glob("[!_]*.py")}
    own = {re.sub("^(optuna|smac|syne_tune)_", "", name) for name in searchers}
    assert (modules | packages | own) - words == set()
