"""ConfigSpace spaces in Syne Tune's terms, and back.

    domains(space)                # {"rate": loguniform(...), "op": choice([...])}
    space_from_domains(domains)   # the space that `domains` would translate so

The two translate without loss or name what Syne Tune 0.16 or ConfigSpace 1.2 has no word for:

    ConfigSpace                            Syne Tune
    Float, Float(log=True)                 uniform, loguniform
    Integer, Integer(log=True)             randint, lograndint
    Categorical (choices of one type)      choice
    Categorical(ordered=True)              ordinal(kind="equal")
    Constant                               the bare value
    conditions, forbidden clauses, priors,
    defaults and meta of one's own,        -
    None among choices
    -                                      ordinal(kind="nn"), logordinal, finrange, logfinrange,
                                           reverseloguniform, quantised, normal, grid

`Coding` is what the searchers use instead: it gives an engine every feature but priors, as choices
become indices, conditions flat genomes (`automl_nas.searchers.flat`), and forbidden clauses are the
caller's to check.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ConfigSpace import Categorical, ConfigurationSpace, Constant, Float, Integer
from ConfigSpace.hyperparameters import (
    CategoricalHyperparameter,
    IntegerHyperparameter,
    OrdinalHyperparameter,
)

from automl_nas import configs
from automl_nas.errors import UnsupportedSpace

Domains = dict[str, Any]
Genes = dict[str, configs.Value]


def domains(space: ConfigurationSpace) -> Domains:
    """The space as Syne Tune writes it.

    Raises:
        UnsupportedSpace: names the hyperparameter and the feature that would be lost.
    """
    configs.check_space(space)
    for condition in space.conditions:
        raise _lost(condition.child.name, "a condition", "Syne Tune")
    for clause in space.forbidden_clauses:
        raise UnsupportedSpace(f"Syne Tune cannot express the forbidden clause ({clause}).")
    for part in ("name", "meta"):
        if getattr(space, part) is not None:
            raise UnsupportedSpace(f"Syne Tune cannot express the space's {part}.")
    return {name: _domain(name, hyperparameter) for name, hyperparameter in space.items()}


def _lost(name: str, feature: str, where: str) -> UnsupportedSpace:
    return UnsupportedSpace(
        f"hyperparameter {name!r} has {feature}, which {where} cannot express: remove it."
    )


def _domain(name: str, hyperparameter: Any) -> Any:
    from syne_tune import config_space as syne

    if (prior := configs.prior(hyperparameter)) is not None:
        raise _lost(name, prior, "Syne Tune")
    options = configs.choices(hyperparameter)
    _refuse_details(name, hyperparameter, options)
    match hyperparameter:
        case Constant():
            return configs.native(hyperparameter.value)
        case CategoricalHyperparameter():
            return syne.choice(list(options or ()))
        case OrdinalHyperparameter():
            return syne.ordinal(list(options or ()), kind="equal")
    return _number(hyperparameter)


def _refuse_details(name: str, hyperparameter: Any, options: Any) -> None:
    """Meta, a default that the class does not choose by itself, choices of several types."""
    if hyperparameter.meta:
        raise _lost(name, "meta", "Syne Tune")
    if isinstance(hyperparameter, Constant):
        return
    if len({type(option) for option in options or (0,)}) > 1:
        raise _lost(name, f"choices of several types {options}", "Syne Tune")
    if options is not None and options[0] is None:
        raise _lost(name, "None as a choice", "Syne Tune")
    usual = _hyperparameter(name, _plain(hyperparameter, options))
    if usual.default_value != hyperparameter.default_value:
        default = configs.native(hyperparameter.default_value)
        raise _lost(name, f"the default {default!r} of its own", "Syne Tune")


def _plain(hyperparameter: Any, options: Any) -> Any:
    """The same domain without looking at its default."""
    from syne_tune import config_space as syne

    if options is None:
        return _number(hyperparameter)
    ordered = isinstance(hyperparameter, OrdinalHyperparameter)
    return syne.ordinal(list(options), kind="equal") if ordered else syne.choice(list(options))


def _number(hyperparameter: Any) -> Any:
    from syne_tune import config_space as syne

    low, high = configs.native(hyperparameter.lower), configs.native(hyperparameter.upper)
    log = bool(getattr(hyperparameter, "log", False))
    if isinstance(hyperparameter, IntegerHyperparameter):
        return (syne.lograndint if log else syne.randint)(int(low), int(high))
    return (syne.loguniform if log else syne.uniform)(float(low), float(high))


def space_from_domains(domains: Mapping[str, Any]) -> ConfigurationSpace:
    """The ConfigSpace of a Syne Tune configuration space.

    Raises:
        UnsupportedSpace: names the hyperparameter and the feature that would be lost.
        SpaceError: there is no hyperparameter.
    """
    space = ConfigurationSpace()
    space.add([_hyperparameter(name, domain) for name, domain in domains.items()])
    configs.check_space(space)
    return space


def _hyperparameter(name: str, domain: Any) -> Any:
    from syne_tune import config_space as syne

    if not isinstance(domain, syne.Domain):
        if not isinstance(domain, None | bool | int | float | str):
            raise _lost(name, f"a constant of type {type(domain).__name__}", "automl_nas")
        return Constant(name, domain)
    if isinstance(domain, syne.OrdinalNearestNeighbor | syne.FiniteRange):
        raise _lost(name, repr(domain), "ConfigSpace")
    if isinstance(domain, syne.Categorical):
        return _categorical(name, domain)
    if not isinstance(domain, syne.Float | syne.Integer):
        raise _lost(name, f"a domain of type {type(domain).__name__}", "ConfigSpace")
    sampler = domain.get_sampler()
    log = type(sampler) is type(domain)._LogUniform
    if not log and type(sampler) is not type(domain)._Uniform:
        raise _lost(name, f"the sampler {type(sampler).__name__.strip('_')}", "ConfigSpace")
    if domain.lower == domain.upper:
        raise _lost(name, f"the one value {domain.lower}", "a range of ConfigSpace")
    kind: Any = Integer if isinstance(domain, syne.Integer) else Float
    return kind(name, (domain.lower, domain.upper), log=log)


def _categorical(name: str, domain: Any) -> Any:
    from syne_tune import config_space as syne

    if domain.is_grid():
        raise _lost(name, "a grid", "ConfigSpace")
    if len(set(domain.categories)) < len(domain.categories):
        raise _lost(name, f"a repeated choice in {domain.categories}", "ConfigSpace")
    return Categorical(name, domain.categories, ordered=isinstance(domain, syne.Ordinal))


@dataclass(frozen=True)
class Coding:
    """Flat genomes as an engine sees them; hyperparameters with a single value are left out.

    Choices are indices, the indices of ordinals integers with an order.
    """

    space: ConfigurationSpace
    """Conditions and forbidden clauses are not part of the coding."""
    unit: bool = False
    """Whether numbers and ordinals are positions in [0, 1], logs applied."""

    @functools.cached_property
    def domains(self) -> Domains:
        """One for each hyperparameter with two values or more."""
        return {name: self._domain(h) for name, h in self.space.items() if h.size > 1}

    @functools.cached_property
    def _parts(self) -> list[tuple[str, Any, tuple[configs.Value, ...] | None, bool]]:
        """Name, hyperparameter, choices or None, whether its code is in the unit interval."""
        return [
            (
                name,
                h,
                configs.choices(h),
                self.unit and not isinstance(h, CategoricalHyperparameter),
            )
            for name, h in self.space.items()
        ]

    def _domain(self, hyperparameter: Any) -> Any:
        from syne_tune import config_space as syne

        options = configs.choices(hyperparameter)
        if isinstance(hyperparameter, CategoricalHyperparameter):
            return syne.choice(list(range(len(options or ()))))
        if self.unit:
            return syne.uniform(0.0, 1.0)
        return _number(hyperparameter) if options is None else syne.randint(0, len(options) - 1)

    def encode(self, genes: Genes) -> dict[str, Any]:
        """A genome with native values, as the engine is told of it."""
        encoded: dict[str, Any] = {}
        for name, hyperparameter, options, unit in self._parts:
            value: Any = genes[name]
            if options is None:
                encoded[name] = float(hyperparameter.to_vector(value)) if unit else value
            elif len(options) > 1:
                index = options.index(value)
                encoded[name] = (index + 0.5) / len(options) if unit else index
        return encoded

    def decode(self, encoded: Mapping[str, Any]) -> Genes:
        """The genome, within the space's bounds, of what an engine suggests."""
        genes: Genes = {}
        for name, hyperparameter, options, unit in self._parts:
            code = encoded.get(name, 0)
            if options is not None:
                index = int(code * len(options)) if unit else int(code)
                genes[name] = options[min(max(index, 0), len(options) - 1)]
                continue
            value = hyperparameter.to_value(min(max(float(code), 0.0), 1.0)) if unit else code
            genes[name] = configs.native(
                min(max(value, hyperparameter.lower), hyperparameter.upper)
            )
        return genes
