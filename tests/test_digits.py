"""The digits task: disjoint, repeatable, normalised."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from automl_nas import digits
from automl_nas.digits import Digits


def parts(splits):
    return [splits.train, splits.architecture, splits.validation, splits.test]


def test_shapes_sizes_and_types():
    splits = Digits(canvas=11, train=100, architecture=50, validation=60).load()
    assert [len(part.labels) for part in parts(splits)] == [100, 50, 60, 1797 - 210]
    for part in parts(splits):
        assert part.images.shape == (len(part.labels), 1, 11, 11)
        assert part.images.dtype == torch.float32
        assert part.labels.dtype == torch.int64
        assert set(part.labels.tolist()) == set(range(splits.classes))


def test_the_file_is_read_as_scikit_learn_reads_it():
    images, labels = load_digits(return_X_y=True)
    ours, marks = digits._shipped()
    assert np.array_equal(ours, images)
    assert np.array_equal(marks, labels)


def test_loading_does_not_import_scikit_learn():
    code = "import sys; from automl_nas.digits import Digits; Digits().load(); "
    code += "sys.exit('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_digit_is_in_exactly_one_part():
    # on a canvas without room and noise only the normalisation is between us and the source
    task = Digits(canvas=8, noise=0.0)
    images = torch.cat([part.images for part in parts(task.load())]).flatten(1).double().numpy()
    labels = torch.cat([part.labels for part in parts(task.load())]).numpy()
    source, targets = load_digits(return_X_y=True)
    low, high = images.min(), images.max()
    restored = np.rint((images - low) / (high - low) * 16)
    ours = np.column_stack([restored, labels])
    theirs = np.column_stack([source, targets])
    assert np.array_equal(ours[np.lexsort(ours.T)], theirs[np.lexsort(theirs.T)])
    assert len(np.unique(source, axis=0)) == len(source)  # no digit twice in the source either


def test_training_images_are_normalised():
    images = Digits().load().train.images
    assert abs(float(images.mean())) < 1e-5
    assert float(images.std()) == pytest.approx(1, abs=1e-3)


def test_loading_repeats_and_depends_on_the_seed():
    first = Digits().load()
    assert Digits().load() is first
    digits._load.cache_clear()
    again, other = Digits().load(), Digits(seed=1).load()
    assert again is not first
    for ours, same, different in zip(parts(first), parts(again), parts(other), strict=True):
        assert torch.equal(ours.images, same.images) and torch.equal(ours.labels, same.labels)
        assert not torch.equal(ours.images, different.images)


def test_digits_move_on_the_canvas():
    ink = Digits(noise=0.0).load().train.images.amax(0)[0]
    background = Digits(noise=0.0).load().train.images.min()
    assert bool((ink[0] > background).any() and (ink[-1] > background).any())


def test_impossible_sizes_are_refused():
    with pytest.raises(ValueError, match="canvas=7"):
        Digits(canvas=7)
    with pytest.raises(ValueError, match="leave none"):
        Digits(train=1797, architecture=0, validation=0).load()
