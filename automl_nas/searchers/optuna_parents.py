"""The parents of each generation of NSGA-II and NSGA-III, selected once instead of in every ask.

A long-lived sampler of Optuna's keeps the parents that it found when a generation began, in the
study's attributes. Here they are always those that the record gives: a complete trial of generation
g that comes late changes the parents of all generations above g, which are selected again.

Within an ask the first call returns parents in the order of selection and later ones in the order
of their numbers, as Optuna does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from optuna.samplers._nsgaiii._elite_population_selection_strategy import (
    NSGAIIIElitePopulationSelectionStrategy,
)
from optuna.samplers.nsgaii._elite_population_selection_strategy import (
    NSGAIIElitePopulationSelectionStrategy,
)
from optuna.trial import FrozenTrial

if TYPE_CHECKING:
    from optuna import Study


def kept_for(sampler: Any) -> Parents | None:
    """A store for the sampler's parents; None where the record might not determine them.

    Only the two selections that Optuna ships are known to be functions of their populations, given
    a generator that starts the same in every ask.
    """
    strategy = getattr(sampler, "_elite_population_selection_strategy", None)
    shipped = (NSGAIIElitePopulationSelectionStrategy, NSGAIIIElitePopulationSelectionStrategy)
    return Parents(sampler._get_generation_key()) if type(strategy) in shipped else None


class Parents:
    """Parents by generation, each with the state of NSGA-III's generator after the selection."""

    def __init__(self, generation_key: str) -> None:
        self._key = generation_key
        self._known: list[tuple[list[FrozenTrial], Any]] = []

    def add(self, trial: FrozenTrial) -> None:
        """Forgets what a complete trial changes."""
        del self._known[trial.system_attrs[self._key] :]

    def serve(self, sampler: Any) -> None:
        """Lets the sampler, made for this ask, take its parents from here."""
        original, prefix = sampler.get_parent_population, sampler._get_parent_cache_key_prefix()

        def serve(study: Study, generation: int) -> list[FrozenTrial]:
            attribute, storage = f"{prefix}{generation}", study._storage
            if generation == 0 or attribute in storage.get_study_system_attrs(study._study_id):
                asked_again: list[FrozenTrial] = original(study, generation)
                return asked_again
            while len(self._known) < generation:
                selected = sampler.select_parent(study, len(self._known) + 1)
                self._known.append((selected, _state(sampler)))
            parents = self._known[generation - 1][0]
            _restore(sampler, self._known[generation - 1][1])
            ids = [trial._trial_id for trial in parents]
            storage.set_study_system_attr(study._study_id, attribute, ids)
            return parents

        vars(sampler)["get_parent_population"] = serve


def _generator(sampler: Any) -> Any:
    strategy = sampler._elite_population_selection_strategy
    return getattr(strategy, "_rng", None)


def _state(sampler: Any) -> Any:
    generator = _generator(sampler)
    return None if generator is None else generator.rng.get_state()


def _restore(sampler: Any, state: Any) -> None:
    if state is not None:
        _generator(sampler).rng.set_state(state)
