"""The coverage pages are true as far as a machine can tell: states, paths, counts."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs/coverage").glob("*.md"))
STATES = ("there", "partly", "not yet")


def rows(page):
    lines = [line for line in page.read_text().splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def cited(cell):
    return [ROOT / path for path in re.findall(r"`([^`]+)`", cell)]


def test_every_published_system_has_its_page():
    systems = {"confopt", "nas-bench-suite", "nas-bench-suite-zero", "tanglenas", "whittle"}
    assert systems <= {page.stem for page in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_rows_name_what_shows_them(page):
    for text, state, where, test in rows(page):
        assert state in STATES, text
        if state == "not yet":
            assert "brought by" in test, text
            continue
        modules, tests = cited(where), cited(test)
        assert modules, text
        assert tests, text
        assert all(path.is_file() for path in [*modules, *tests]), text
        assert all(path.name.startswith("test_") for path in tests), text
        if state == "partly":
            assert re.sub(r"`[^`]+`", "", test).strip(" ;"), f"say what is missing: {text}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_count_is_right(page):
    found = Counter(state for _, state, _, _ in rows(page))
    there, partly, not_yet = (found[state] for state in STATES)
    total = there + partly + not_yet
    line = f"{total} rows: {there} there, {partly} partly, {not_yet} not yet"
    assert line in page.read_text().splitlines()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_says_what_it_is_and_numbers_its_rows(page):
    text = page.read_text()
    title, _, count, *_ = text.splitlines()
    assert re.match(r"# .+\(arXiv \d{4}\.\d{5}\)|# .+\(no paper\)", title)
    assert re.fullmatch(r"\d+ rows: \d+ there, \d+ partly, \d+ not yet", count)
    numbers = [row.split()[0] for row, *_ in rows(page)]
    assert numbers == [str(number) for number in range(1, len(numbers) + 1)]
    assert not re.search(r"https?://|(?<![\w.])/(work|tmp|home|root|usr)/", text)
