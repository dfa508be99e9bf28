"""Flat genomes for engines without conditions: every hyperparameter has a gene, active or not.

An engine that mutates or crosses whole parameter vectors needs a value for inactive hyperparameters
too. A genome maps every name of the space to a native value; the active part is the configuration,
and the whole travels as `attrs["flat"]`, so that a gene keeps its value while it is switched off.
"""

from __future__ import annotations

from ConfigSpace import ConfigurationSpace

from automl_nas import configs
from automl_nas.types import Record

KEY = "flat"


def genome(space: ConfigurationSpace, record: Record) -> dict[str, configs.Value]:
    """Active values, then genes that the record kept, then the space's defaults."""
    defaults = {name: configs.native(space[name].default_value) for name in space}
    kept = {name: value for name, value in record.attrs.get(KEY, {}).items() if name in space}
    return {**defaults, **kept, **configs.to_dict(record.configuration)}


def express(space: ConfigurationSpace, genes: dict[str, configs.Value]) -> dict[str, configs.Value]:
    """The active part of a genome, as values for `configs.legal`."""
    return configs.define_by_run(space, genes.__getitem__)
