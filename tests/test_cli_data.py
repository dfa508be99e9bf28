"""`automl-nas data`: what is found, what is missing and under which official name."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from automl_nas import registry
from automl_nas.commands.data import data
from automl_nas.errors import TableError
from automl_nas.tables import nasbench101
from tests.tables.files import nats_folder
from tests.tables.test_nasbench101 import write_tfrecord


def show(*arguments):
    done = CliRunner().invoke(data, [str(argument) for argument in arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


def test_an_empty_folder_lacks_everything_by_its_official_name(tmp_path):
    code, said = show("--data", tmp_path)
    assert code == 0
    for benchmark in registry.names("table"):
        assert f"{benchmark}\n" in said
    assert "missing  nasbench_only108.tfrecord, sha256 4c39c3936e36a85269881d659e44e61a" in said
    assert "missing  NATS-tss-v1_0-3ffb9-simple/meta.pickle.pbz2 - D-X-Y/NATS-Bench" in said
    assert "missing  nb201_ImageNet16_full_training.pickle" in said
    assert "found" not in said


def test_what_is_found_is_shown_with_its_path(tmp_path, monkeypatch):
    folder = nats_folder(tmp_path / "deep", (0,), recipes={"12": (777,)})
    monkeypatch.setenv("AUTOML_NAS_DATA", str(tmp_path))
    code, said = show()
    assert code == 0
    assert f"found    {folder / 'meta.pickle.pbz2'}" in said
    assert "cifar10, cifar100, ImageNet16-120 (a part of the architectures)" in said
    assert said.count("optional HW-NAS-Bench-v1_0.pickle - GATECH-EIC/HW-NAS-Bench") == 1


def test_a_check_finds_another_file_than_the_published_one(tmp_path):
    write_tfrecord(tmp_path / "nasbench_only108.tfrecord")
    code, said = show("--data", tmp_path)
    assert (code, "DIFFERS" in said) == (0, False)
    code, said = show("--data", tmp_path, "--check")
    assert code == 1
    assert "DIFFERS: sha256 4c39c3936e36a85269881d659e44e61a" in said


def test_files_without_a_published_checksum_are_said_to_be_so(tmp_path):
    (tmp_path / "nb101_full.npz").write_bytes(b"")
    code, said = show("--data", tmp_path, "--check")
    assert code == 0
    assert "nb101_full.npz (0 bytes) (no checksum was published)" in said


def test_without_a_folder_the_next_step_is_said(tmp_path, monkeypatch):
    monkeypatch.delenv("AUTOML_NAS_DATA", raising=False)
    for arguments in ((), ("--data", tmp_path / "none")):
        with pytest.raises(TableError, match="say --data PATH or set AUTOML_NAS_DATA"):
            show(*arguments)


def test_a_benchmark_that_cannot_be_imported_does_not_hide_the_others(tmp_path, monkeypatch):
    monkeypatch.delattr(nasbench101, "SOURCES")
    monkeypatch.setattr(registry, "names", lambda kind: ["nasbench101", "nasbench201", "none"])
    code, said = show("--data", tmp_path)
    assert code == 0
    assert said.count("cannot be read") == 2
    assert "nb201.csv.gz" in said
