"""Gradient and one-shot search: train one supernet, then read off a configuration.

    images = nasbench201.images("digits")
    searcher = GradientSearcher(space, nasbench201.supernet(), "drnas", data=images, rounds=10)
    Study(space, objective, searcher, budget=Budget(evaluations=10)).run()

A proposal is one *round*: some epochs from the checkpoint of the round before, inside `propose`,
and the configuration that the supernet then prefers. Proposals of earlier rounds are audits, which
only monitor; the last one is charged and selected, and after `rounds` of them the searcher has
finished. The FLOPs of training are charged in every round. Measured values are never looked at.

Samplers: `darts` (arXiv 1806.09055), `drnas` (2006.10355), `gdas` (1910.04465), `uniform` (single
path one-shot, 1904.00420), or an instance of your own (`automl_nas.oneshot.samplers`).
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, ClassVar

from ConfigSpace import ConfigurationSpace

from automl_nas import configs
from automl_nas.oneshot.recipe import OneShotRecipe
from automl_nas.searchers.base import refuse_constraints, refuse_priors
from automl_nas.settings import require_positive
from automl_nas.types import History, Proposal

if TYPE_CHECKING:
    from automl_nas.images import ImageTask
    from automl_nas.oneshot.rounds import Plan
    from automl_nas.oneshot.samplers import Sampler
    from automl_nas.supernet.mixture import SupernetRecipe


@dataclass(frozen=True)
class GradientSearcher:
    """Proposes what a supernet learns; torch is first imported when one is made.

    Raises:
        UnsupportedSpace: a hyperparameter is numeric or has weights.
        UnknownName: no sampler of that name.
        SettingError: fewer than one round or candidate.
    """

    space: ConfigurationSpace
    supernet: SupernetRecipe
    sampler: str | Sampler = "darts"
    """A name, or an instance for other settings than the paper's."""
    _: KW_ONLY
    data: ImageTask
    """Its `train` part fits weights, its `architecture` part the architecture; no other is used."""
    rounds: int = 10
    """Proposals until the end; learning rate and temperature are spread over all of them."""
    recipe: OneShotRecipe = field(default_factory=OneShotRecipe)
    candidates: int = 16
    """Random paths ranked in each round by a sampler that does not learn."""

    variant: ClassVar[str] = "sampler"
    variants: ClassVar[tuple[str, ...]] = ("darts", "drnas", "gdas", "uniform")
    packages: ClassVar[tuple[str, ...]] = ("torch",)

    def __post_init__(self) -> None:
        from automl_nas.supernet.mixture import relaxable

        configs.check_space(self.space)
        relaxable(self.space)
        refuse_priors(self.space, self.name)
        require_positive(self, "rounds", "candidates")

    @property
    def name(self) -> str:
        """`gradient:` and the sampler."""
        return f"gradient:{self._sampler().name}"

    def propose(self, history: History, number: int) -> Proposal | None:  # noqa: ARG002
        """Trains one round; None after `rounds` proposals of its own.

        Raises:
            StudyError: the training diverged.
            UnsupportedConstraints: the study has constraints, at which no gradient looks.
        """
        from automl_nas.oneshot import rounds

        refuse_constraints(history, self.name)
        index = history.own(self.name)
        if index >= self.rounds:
            return None
        outcome, setup_seconds = rounds.play(self._plan(history.seed), index, history.cache)
        return Proposal(
            configs.from_dict(self.space, outcome.configuration),
            audit=index < self.rounds - 1,
            training_flops=outcome.training_flops,
            setup_seconds=setup_seconds,
            attrs=outcome.attrs,
        )

    def epoch_flops(self) -> float:
        """Training FLOPs of one epoch, to choose `rounds` x `recipe.epochs_per_round` by a budget.

        Exact for `darts` and `drnas`; the expectation over random paths for `gdas` and `uniform`,
        without the forward passes that rank paths. Loads the data and builds the supernet.
        """
        from automl_nas.oneshot import rounds

        return rounds.epoch_flops(self._plan(seed=0))

    def ranking_flops(self) -> float:
        """Expected FLOPs that a round adds by ranking paths; zero where the sampler learns."""
        from automl_nas.oneshot import rounds

        return rounds.ranking_flops(self._plan(seed=0))

    def _sampler(self) -> Sampler:
        from automl_nas.oneshot.samplers import by_name

        return by_name(self.sampler) if isinstance(self.sampler, str) else self.sampler

    def _plan(self, seed: int) -> Plan:
        from automl_nas.oneshot.rounds import Plan

        return Plan(
            self.name,
            self.space,
            self.supernet,
            self._sampler(),
            self.data,
            self.rounds,
            self.recipe,
            self.candidates,
            seed,
        )
