"""What is installed: three packages, typed, with the page's template and one version."""

from __future__ import annotations

import importlib.metadata
import importlib.resources

import pytest

from automl_nas import registry

DISTRIBUTION = importlib.metadata.distribution("automl_nas")


def test_top_level_names():
    names = (DISTRIBUTION.read_text("top_level.txt") or "").split()
    assert sorted(names) == ["automl_nas", "spaces", "studies"]


@pytest.mark.parametrize("package", ["automl_nas", "spaces", "studies"])
def test_packages_are_typed(package):
    assert importlib.resources.files(package).joinpath("py.typed").is_file()


def test_the_template_is_installed():
    page = importlib.resources.files("automl_nas.report").joinpath("page.html.jinja")
    assert "<html" in page.read_text()


@pytest.mark.parametrize("kind", ["searcher", "space", "study"])
def test_built_ins_come_through_the_entry_points(kind):
    group = registry._GROUPS[kind]
    ours = [e.name for e in DISTRIBUTION.entry_points if e.group == group]
    assert ours
    assert set(ours) <= set(registry.names(kind))
    assert all(registry.load(kind, name) for name in ours)
