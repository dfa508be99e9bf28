"""The arithmetic of successive halving, in integers: amounts of rungs and sizes of brackets.

    amounts(243, eta=3)          # (1, 3, 9, 27, 81, 243)
    sizes(lowest=0, levels=6, eta=3)

Rung k below the top is the full amount divided by eta ** k, rounded to the nearest integer (halves
up), as long as the quotient itself is at least `minimum`. So there are 1 + floor(log_eta(full /
minimum)) rungs, as Hyperband has it, and since no logarithm is taken in floats, 243 has six and not
five. Quotients of at least one that differ by a factor of two or more never round to the same.
Source: Li et al. 2018, "Hyperband", JMLR 18(185), algorithm 1.
"""

from __future__ import annotations

from automl_nas.errors import SettingError


def amounts(full: int, minimum: int = 1, eta: int = 3) -> tuple[int, ...]:
    """Amounts of the fidelity from the lowest rung to `full`.

    Raises:
        SettingError: `full` is below `minimum`.
    """
    if full < minimum:
        raise SettingError(
            f"a rung of at least {minimum} was expected, but full fidelity is {full}: "
            "lower `minimum`."
        )
    found, divisor = [], 1
    while full >= minimum * divisor:
        found.append((2 * full + divisor) // (2 * divisor))
        divisor *= eta
    return tuple(reversed(found))


def sizes(lowest: int, levels: int, eta: int = 3) -> tuple[int, ...]:
    """How many configurations a bracket has on each of its rungs, `lowest` to `levels` - 1.

    `lowest` = 0 is the most aggressive bracket, which is plain successive halving; the last one
    measures everything at full fidelity.
    """
    halvings = levels - 1 - lowest
    first = -(-levels * eta**halvings // (halvings + 1))
    return tuple(first // eta**i for i in range(halvings + 1))


def cost(lowest: int, rungs: tuple[int, ...], eta: int = 3) -> int:
    """What a whole bracket spends, in units of the fidelity."""
    counts = sizes(lowest, len(rungs), eta)
    return sum(count * amount for count, amount in zip(counts, rungs[lowest:], strict=True))
