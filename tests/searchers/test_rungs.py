"""Rungs and brackets in integers, against exact fractions and the paper's algorithm."""

from fractions import Fraction
from math import ceil

import pytest

from automl_nas.errors import SettingError
from automl_nas.searchers import rungs


@pytest.mark.parametrize(
    ("full", "expected"),
    [
        (1, (1,)),
        (2, (2,)),
        (3, (1, 3)),
        (27, (1, 3, 9, 27)),
        (200, (2, 7, 22, 67, 200)),
        (243, (1, 3, 9, 27, 81, 243)),
        (729, (1, 3, 9, 27, 81, 243, 729)),
    ],
)
def test_amounts_by_hand(full, expected):
    assert rungs.amounts(full, minimum=1, eta=3) == expected


def test_the_minimum_is_kept():
    assert rungs.amounts(81, minimum=3, eta=3) == (3, 9, 27, 81)
    assert rungs.amounts(81, minimum=4, eta=3) == (9, 27, 81)
    assert rungs.amounts(81, minimum=81, eta=3) == (81,)
    with pytest.raises(SettingError, match="at least 82 was expected, but full fidelity is 81"):
        rungs.amounts(81, minimum=82, eta=3)


@pytest.mark.parametrize("eta", [2, 3, 4, 5])
def test_amounts_are_those_of_exact_arithmetic(eta):
    for full in range(1, 2001):
        for minimum in {1, 2, 7, full // eta or 1, full}:
            if minimum > full:
                continue
            found = rungs.amounts(full, minimum, eta)
            exact = [Fraction(full, eta**k) for k in reversed(range(len(found)))]
            assert all(abs(a - x) <= Fraction(1, 2) for a, x in zip(found, exact, strict=True))
            assert min(exact) >= minimum > Fraction(full, eta ** len(found))
            assert list(found) == sorted(set(found))
            assert found[0] >= minimum
            assert found[-1] == full


@pytest.mark.parametrize("eta", [2, 3, 4, 5])
@pytest.mark.parametrize("levels", [1, 2, 3, 5, 7])
def test_sizes_follow_the_algorithm(levels, eta):
    for lowest in range(levels):
        s = levels - 1 - lowest  # the paper's name
        n = ceil(Fraction(levels, s + 1) * eta**s)
        assert rungs.sizes(lowest, levels, eta) == tuple(
            int(Fraction(n, eta**i)) for i in range(s + 1)
        )


def test_the_brackets_of_81_by_hand():
    # 5/5 * 81 = 81, 5/4 * 27 = 33.75, 5/3 * 9 = 15, 5/2 * 3 = 7.5, 5
    found = [rungs.sizes(lowest, 5, 3) for lowest in range(5)]
    assert found == [(81, 27, 9, 3, 1), (34, 11, 3, 1), (15, 5, 1), (8, 2), (5,)]
    assert rungs.cost(0, rungs.amounts(81), 3) == 5 * 81
    assert rungs.cost(1, rungs.amounts(81), 3) == 34 * 3 + 11 * 9 + 3 * 27 + 81
