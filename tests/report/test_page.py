"""The page: self-contained, the same bytes for the same records, honest about what is missing."""

import io
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from automl_nas import Budget, Study, load, report
from automl_nas.errors import StudyError
from tests.report.build import (
    ACCURACY,
    PARAMETERS,
    SPACE,
    TEST,
    VALIDATION,
    Toy,
    Uniform,
    audit,
    failed,
    record,
    run,
)

VOID = {"meta", "br", "link", "img", "hr"}


class Page(HTMLParser):
    """Collects tags, ids, attributes and text, and checks that tags are balanced."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.attributes, self.tags, self.words = [], [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def several():
    """Two groups, with failures, audits, an interrupted seed and one without an answer."""
    blackbox = [
        run([record(i, 9 - i + seed, 9.5 - i, 1e4 * 3**i) for i in range(6 - seed)], name, seed)
        for name in ("random", "evolution <b>&")
        for seed in range(3)
    ]
    gradient = [
        run([audit(0, 6, 7, 1e4), audit(1, 4, 5, 2e4), record(2, 4, 5, 2e4)], "gradient:darts")
    ]
    both = {"optimize": (VALIDATION, PARAMETERS)}
    two = [run([record(i, 9 - i, 9, 10**i) for i in range(5)], seed=s, **both) for s in range(2)]
    return [*blackbox, *gradient, run([failed(0)], seed=3), *two, run([], seed=5, **both)]


def write(tmp_path, studies, **options):
    return report.write(studies, tmp_path / "out" / "page.html", **options).read_text("utf-8")


def without_measured(text):
    """The page without seconds and provenance."""
    text = re.sub(r'<section class="provenance">.*?</section>', "", text, flags=re.DOTALL)
    return re.sub(r'<(td|figure) class="measured">.*?</\1>', "", text, flags=re.DOTALL)


def test_self_contained_and_well_formed(tmp_path):
    text = write(tmp_path, several(), title="A & B", notes=["made <up>"])
    page = Page(text)
    links = [v for name, v in page.attributes if name in ("src", "href", "xlink:href", "action")]
    assert all(value.startswith(("#", "data:")) for value in links)
    outside = re.sub(r'xmlns(:\w+)?="http://www\.w3\.org/[^"]*"', "", text)
    assert not re.search(r"https?:|//[a-z]+\.|@import|url\((?!#)", outside)
    assert "script" not in page.tags
    assert len(page.ids) == len(set(page.ids))
    assert len(text.encode()) < 2_000_000
    assert page.tags.count("svg") == page.tags.count("figcaption") == 7
    assert all(f"#{i}" in text or i in page.ids for i in re.findall(r"url\(#([^)]*)\)", text))


def test_says_what_was_measured_and_what_failed(tmp_path):
    words = " ".join("".join(Page(write(tmp_path, several(), notes=["made <up>"])).words).split())
    for expected in (
        "made <up>", "evolution <b>&", "3 of 4", "hypervolume", "reference point 1.1",
        "RuntimeError: out of memory", "digits/random/seed3 trial 0", "abc+changes", "study.py",
        "numpy 2.0", "3.11.7", "smallest to largest seed", "Dashed: final answer of gradient:darts",
        "lower is better", "What these searches saw on the way",
    ):  # fmt: skip
        assert expected in words
    assert "smoke run" not in words


def test_smoke_runs_are_labelled(tmp_path):
    text = write(tmp_path, several(), ranking=False)
    assert '<p class="banner">smoke run, no ranking</p>' in text
    assert "Sorted by name." in text


def test_equal_records_give_equal_bytes(tmp_path):
    assert write(tmp_path, several()) == write(tmp_path, several())


def test_only_seconds_and_provenance_depend_on_the_machine(tmp_path):
    def slower(results):
        records = [
            replace(r, ask_seconds=9.0, cost=replace(r.cost, seconds=20.0 + r.number))
            for r in results.records
        ]
        return replace(results, records=tuple(records), sessions=results.sessions * 2)

    first = write(tmp_path, several())
    second = write(tmp_path, [slower(results) for results in several()])
    assert first != second
    assert without_measured(first) == without_measured(second)


def test_nothing_measured_yet(tmp_path):
    text = write(
        tmp_path, [run([]), run([failed(0)], "other"), run([], optimize=[TEST, VALIDATION])]
    )
    assert text.count("nothing measured yet") == 2
    with pytest.raises(StudyError, match="at least one study"):
        report.write([], tmp_path / "none.html")
    assert not (tmp_path / "none.html").exists()


def test_maximised_and_without_training_cost(tmp_path):
    records = [record(i, 0.5 + i / 10, metrics=[ACCURACY]) for i in range(4)]
    text = write(tmp_path, [run(records, metrics=[ACCURACY], optimize=[ACCURACY], full=None)])
    assert "higher is better" in text
    assert "Against evaluations" in text
    assert "Against training cost" not in text


def test_many_searchers_seeds_and_points_stay_small(tmp_path):
    studies = [
        run(
            [record(i, 9 - (i * (k + seed + 3) % 70) / 9, 5, 1000 + i * k) for i in range(150)],
            f"searcher-with-a-long-name-{k}", seed,
        )
        for k in range(9) for seed in range(4)
    ]  # fmt: skip
    assert len(write(tmp_path, studies).encode()) < 2_000_000


def test_studies_and_loaded_results_give_one_page(tmp_path):
    url = f"sqlite:///{tmp_path}/s.db"
    studies = [
        Study(SPACE, Toy(), Uniform(SPACE), budget=Budget(trials=40), seed=seed).run(url)
        for seed in range(2)
    ]
    written, loaded = write(tmp_path, studies), write(tmp_path, load(url))
    assert without_measured(written) == without_measured(loaded)
    assert "RuntimeError: out of &lt;memory&gt;" in written
    assert url in loaded


def test_passwords_are_not_shown(tmp_path):
    secret = replace(run([record(0, 1, 2)]), storage="postgresql://ann:pa:s@host/db")
    text = write(tmp_path, [secret])
    assert "pa:s" not in text
    assert "postgresql://ann:***@host/db" in text


def test_matplotlib_is_left_alone(tmp_path):
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    write(tmp_path, several())
    assert dict(mpl.rcParams) == before


def test_import_is_cheap():
    heavy = ("matplotlib", "pandas", "jinja2", "scipy", "rich", "torch")
    code = f"import sys, automl_nas.report\nprint([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_terminal_tables_say_the_same_within_80_columns():
    from rich.console import Console

    console = Console(width=80, file=io.StringIO())
    for table in report.tables(report.summary(several())):
        console.print(table)
    text = console.file.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    for expected in ("evolution <b>&", "evaluations", "evaluate", "hypervolume", "6.000 [4.000"):
        assert expected in text


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium on PATH")
@pytest.mark.parametrize("width", [390, 1280])
def test_browser_lays_out_every_figure(tmp_path, width):
    text = write(tmp_path, several())
    measure = """<script>addEventListener("load", () => {
      const sizes = [...document.querySelectorAll("svg")].map((svg) => {
        const box = svg.getBoundingClientRect(), all = svg.getBBox();
        return [box.width, box.height, all.width, box.right].map(Math.round).join(" ") });
      document.body.dataset.sizes = sizes.join(";");
      document.body.dataset.wide = document.documentElement.scrollWidth; });</script>"""
    page = tmp_path / "measured.html"
    page.write_text(text.replace("</body>", measure + "</body>"), encoding="utf-8")
    dom = chromium(tmp_path, page, "--dump-dom", f"--window-size={width},900")
    sizes = [
        list(map(int, s.split())) for s in re.search(r'data-sizes="([^"]*)"', dom)[1].split(";")
    ]
    scroll = int(re.search(r'data-wide="(\d+)"', dom)[1])
    assert len(sizes) == 7
    assert all(w > 250 and h > 100 and drawn > 200 for w, h, drawn, _ in sizes)
    assert all(right <= scroll for *_, right in sizes)
    assert scroll <= max(width, 500)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium on PATH")
def test_browser_paints_the_page(tmp_path):
    import matplotlib.image as image

    page = report.write(several(), tmp_path / "page.html")
    shot = tmp_path / "page.png"
    chromium(tmp_path, page, f"--screenshot={shot}", "--window-size=1280,2000")
    pixels = image.imread(shot)[..., :3]
    assert 0.01 < (pixels.min(axis=-1) < 0.95).mean() < 0.5
    coloured = (pixels.max(axis=-1) - pixels.min(axis=-1) > 0.4).mean()
    assert coloured > 0.001


def chromium(tmp_path, page, *flags):
    """What headless chromium prints about the page."""
    profile = tmp_path / "profile"
    profile.mkdir()
    command = [
        "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
        "--no-first-run", "--disable-background-networking", "--disable-component-update",
        "--disable-sync", f"--user-data-dir={profile}", *flags, page.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout
