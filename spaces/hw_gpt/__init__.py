"""HW-GPT-Bench: GPT-2-like networks of the scales `s`, `m` and `l`, multi-objective.

    from spaces.hw_gpt import s

    space = s.search_space()
    objective = s.pool(path="~/benchmarks")              # measured rows only: an exact front
    objective = s.surrogate(path="~/benchmarks")         # the whole space, predicted
    count = parameters(configuration)                    # exact

Source: Sukthanker et al., "HW-GPT-Bench", NeurIPS 2024 (arXiv:2405.10299).
"""

from .pool import leave_one_out
from .space import SCALES, Scale, from_key, parameters, to_key
from .surrogate import Surrogate

__all__ = ["SCALES", "Scale", "Surrogate", "from_key", "leave_one_out", "parameters", "to_key"]
