"""A toy gradient searcher, its histories, and its proposals as plain data."""

from dataclasses import replace

from automl_nas import configs
from automl_nas.oneshot.recipe import OneShotRecipe
from automl_nas.searchers.gradient import GradientSearcher
from automl_nas.types import Cache, History, Metric, Record
from tests.oneshot import toy

ROUNDS = 3
RECIPE = OneShotRecipe(epochs_per_round=2, batch_size=16, architecture_lr=0.05, lr=0.1)


def searcher(sampler="darts", **changes):
    made = GradientSearcher(
        toy.space(),
        toy.ToyRecipe(),
        sampler,
        data=toy.ToyImages(),
        rounds=ROUNDS,
        recipe=RECIPE,
        candidates=3,
    )
    return replace(made, **changes)


def history(own, cache=None, *, seed=1, made=None):
    """A history with `own` proposals of the searcher; what they were is of no importance."""
    made = made or searcher()
    configuration = made.space.get_default_configuration()
    records = [
        Record(i, configuration, made.name, "complete", values={"error": i}) for i in range(own)
    ]
    return History(made.space, (Metric("error"),), seed, records, cache=cache or Cache())


def plain(proposal):
    return [
        configs.to_dict(proposal.configuration),
        proposal.audit,
        proposal.training_flops,
        dict(proposal.attrs),
    ]


def propose(made, own, cache=None, **options):
    return plain(made.propose(history(own, cache, made=made, **options), own))


def plain_run(made, cache=None):
    cache = cache or Cache()
    return [propose(made, own, cache) for own in range(made.rounds)]
