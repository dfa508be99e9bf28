"""SMAC 2.4.1 as shipped, asked the same question: its own facade, told the same records.

One part is ours: local search starts in the order of digests, because SMAC's own order differs
between processes.
"""

import tempfile
import time
from pathlib import Path

from automl_nas import configs
from automl_nas.searchers.engines import contained
from automl_nas.searchers.smac_kinds import KINDS, has_priors, uniform


def stock_asks(searcher, told, metrics, seed, seconds=None):
    """What `smac_engine.ask` must return; `seconds` gets those of telling and asking."""
    with contained(seed, "smac"), tempfile.TemporaryDirectory() as folder:
        facade = _facade(searcher, metrics, seed, Path(folder))
        start = time.perf_counter()
        _tell(facade, told)
        between = time.perf_counter()
        asks = [configs.to_dict(facade.ask().config) for _ in range(searcher.batch)]
        if seconds is not None:
            seconds += [between - start, time.perf_counter() - between]
        return asks


def _facade(searcher, metrics, seed, folder):
    import smac
    from smac.initial_design.sobol_design import SobolInitialDesign
    from smac.multi_objective.parego import ParEGO

    kind = KINDS[searcher.facade]
    stock = getattr(smac, kind.facade)
    space = configs.space_from_json(configs.space_to_json(searcher.space))
    scenario = smac.Scenario(
        space,
        name="stock",
        output_directory=folder,
        deterministic=True,
        objectives=[f"m{i}" for i in range(metrics)] if metrics > 1 else "loss",
        n_trials=10**6,
        seed=seed,
    )
    return stock(
        scenario,
        acquisition_function=_acquisition(searcher, stock, scenario),
        acquisition_maximizer=_maximizer(searcher, space, seed),
        initial_design=SobolInitialDesign(scenario, n_configs=0),
        intensifier=stock.get_intensifier(scenario, max_config_calls=1),
        config_selector=stock.get_config_selector(scenario, retrain_after=searcher.batch),
        multi_objective_algorithm=ParEGO(scenario) if kind.several else None,
        logging_level=False,
        overwrite=True,
    )


def _acquisition(searcher, stock, scenario):
    from smac.acquisition.function import PriorAcquisitionFunction

    inner = stock.get_acquisition_function(scenario)
    if not has_priors(searcher.space):
        return inner
    acquisition = PriorAcquisitionFunction(inner, decay_beta=searcher.prior_decay)
    acquisition._initial_design_size = searcher.designed
    return acquisition


def _maximizer(searcher, space, seed):
    from smac.acquisition.maximizer import LocalAndSortedRandomSearch
    from smac.acquisition.maximizer.local_search import LocalSearch

    class Sorted(LocalSearch):
        def _get_init_points_from_previous_configs(self, *args, **kwargs):
            points = super()._get_init_points_from_previous_configs(*args, **kwargs)
            return sorted(points, key=configs.digest)

    plain = uniform(configs.space_to_json(space)) if has_priors(space) else None
    if plain is not None:
        plain.seed(seed)
    maximizer = LocalAndSortedRandomSearch(
        space, challengers=searcher.challengers, seed=seed, uniform_configspace=plain
    )
    maximizer._local_search = Sorted(space, seed=seed)
    return maximizer


def _tell(facade, told):
    from smac.runhistory.dataclasses import TrialInfo, TrialValue
    from smac.runhistory.enumerations import StatusType

    space = facade.scenario.configspace
    worst = [max(column) for column in zip(*(x for _, x in told.lessons if x), strict=True)]
    for configuration, (_, losses) in zip(told.configurations, told.lessons, strict=True):
        copy = configs.from_dict(space, configs.to_dict(configuration))
        cost = list(losses or worst)
        value = TrialValue(
            cost=cost if len(cost) > 1 else cost[0],
            status=StatusType.SUCCESS if losses else StatusType.CRASHED,
        )
        facade.tell(TrialInfo(copy, seed=0), value, save=False)
