import torch

from automl_nas.oneshot import checkpoints


def save(folder, number, chain="mine"):
    return checkpoints.save(folder, chain, number, {"weights": torch.full((3,), float(number))})


def read(folder, *, first=0, last=99, chain="mine"):
    content = checkpoints.newest(folder, chain, first=first, last=last)
    return None if content is None else content["round"]


def test_newest_and_the_last_two(tmp_path):
    folder = tmp_path / "new"
    assert read(folder) is None
    for number in range(1, 5):
        save(folder, number)
    assert read(folder) == 4
    assert read(folder, last=3) == 3
    assert read(folder, last=2) is None
    assert read(folder, first=5) is None
    assert len(list(folder.iterdir())) == 2


def test_content_comes_back(tmp_path):
    path = save(tmp_path, 7)
    content = checkpoints.newest(tmp_path, "mine", first=7, last=7)
    assert content["weights"].tolist() == [7.0] * 3
    assert torch.load(path, weights_only=True)["round"] == 7


def test_passes_over_torn_altered_renamed_and_foreign_files(tmp_path):
    save(tmp_path, 1)
    newest = save(tmp_path, 2)
    whole = newest.read_bytes()
    altered = bytearray(whole)
    altered[len(altered) // 2] ^= 1
    for damaged in (b"", whole[:100], whole[:-1], bytes(altered)):
        newest.write_bytes(damaged)
        assert read(tmp_path) == 1
    newest.write_bytes(whole)
    assert read(tmp_path) == 2
    assert read(tmp_path, chain="other") is None
    newest.rename(tmp_path / newest.name.replace("round-2", "round-3"))
    assert read(tmp_path) == 1
    (tmp_path / "round-x.pt").write_bytes(b"")
    (tmp_path / "round-9-0123456789abcdef.pt").mkdir()
    assert read(tmp_path) == 1
