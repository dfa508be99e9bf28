"""A space as Optuna's samplers see it: which distributions, which values, asked in which way.

Flat: every hyperparameter has a gene, active or not (`automl_nas.searchers.flat`), for samplers
that model what all trials share. Otherwise define-by-run: the active hyperparameters alone, parents
before children. Ordinals are integers, the positions of their values.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ConfigSpace import ConfigurationSpace
from ConfigSpace.hyperparameters import OrdinalHyperparameter
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from automl_nas import configs
from automl_nas.distributions import distribution
from automl_nas.errors import SettingError
from automl_nas.searchers import flat
from automl_nas.types import Record

if TYPE_CHECKING:
    from optuna.trial import Trial

Values = Mapping[str, configs.Value]


@dataclass(frozen=True)
class Encoding:
    """Records as parameters of trials, and suggestions of a trial as values of the space."""

    space: ConfigurationSpace
    flat: bool
    """Whether inactive hyperparameters are parameters too."""

    @functools.cached_property
    def distributions(self) -> dict[str, BaseDistribution]:
        """One for each hyperparameter, in the space's order."""
        return {
            name: IntDistribution(0, len(self.ordered[name]) - 1)
            if name in self.ordered
            else distribution(hyperparameter)
            for name, hyperparameter in self.space.items()
        }

    @functools.cached_property
    def ordered(self) -> dict[str, tuple[configs.Value, ...]]:
        """The values of each ordinal."""
        ordinals = {n: h for n, h in self.space.items() if isinstance(h, OrdinalHyperparameter)}
        return {name: configs.choices(ordinal) or () for name, ordinal in ordinals.items()}

    @functools.cached_property
    def varied(self) -> dict[str, BaseDistribution]:
        """The distributions with more than one value."""
        return {name: d for name, d in self.distributions.items() if not d.single()}

    def params(self, record: Record) -> dict[str, configs.Value]:
        """What the record's configuration is to the sampler."""
        values = configs.to_dict(record.configuration)
        if self.flat:
            values = flat.genome(self.space, record)
        return {name: self._position(name, value) for name, value in values.items()}

    def encode(self, given: Values) -> dict[str, configs.Value]:
        """A user's values of some hyperparameters as Optuna's parameters.

        Raises:
            SettingError: a name or a value that the space has not.
        """
        for name, value in given.items():
            if name not in self.space or not self.space[name].legal_value(value):
                raise SettingError(
                    f"{name} = {value!r} is no value of the space: expected a legal value of one "
                    f"of {list(self.space)}."
                )
        return {name: self._position(name, value) for name, value in given.items()}

    def _position(self, name: str, value: configs.Value) -> configs.Value:
        return self.ordered[name].index(value) if name in self.ordered else value

    def ask(self, trial: Trial) -> dict[str, configs.Value]:
        """The trial's suggestions, of all hyperparameters or of the active ones."""
        if self.flat:
            return {name: self._suggest(trial, name) for name in self.space}
        return configs.define_by_run(self.space, functools.partial(self._suggest, trial))

    def _suggest(self, trial: Trial, name: str) -> configs.Value:
        value: Any = _suggested(trial, name, self.distributions[name])
        plain: configs.Value = self.ordered[name][value] if name in self.ordered else value
        return plain


def _suggested(trial: Trial, name: str, encoding: BaseDistribution) -> Any:
    match encoding:
        case IntDistribution():
            return trial.suggest_int(name, encoding.low, encoding.high, log=encoding.log)
        case FloatDistribution():
            return trial.suggest_float(name, encoding.low, encoding.high, log=encoding.log)
        case CategoricalDistribution():
            return trial.suggest_categorical(name, encoding.choices)
        case _:
            raise TypeError(f"no such encoding: {encoding!r}")
