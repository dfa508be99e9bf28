"""Which images, network sizes and training belong together.

    objective = training("digits")        # one evaluation: about 0.7 CPU seconds
    recipe = supernet("digits")           # the supernet of the same network sizes

A task is a name (`images` has them) or any `ImageTask`; for the latter say the network's sizes too.
"""

from __future__ import annotations

from dataclasses import replace

from automl_nas.digits import Digits
from automl_nas.errors import UnknownName
from automl_nas.images import ImageTask
from automl_nas.objectives.fit import TrainingRecipe
from automl_nas.objectives.training import TrainingObjective, image_shape

from .network import NetworkRecipe
from .supernetwork import NB201SupernetRecipe

_IMAGES: dict[str, ImageTask] = {"digits": Digits()}
DIGITS_NETWORK = NetworkRecipe(channels=16, cells=1, stages=1, classes=10, in_channels=1)
"""One cell decides everything, so cells differ by far more than seeds do."""
DIGITS_TRAINING = TrainingRecipe(epochs=9, batch_size=20, learning_rate=0.2, continues=True)


def images(name: str) -> ImageTask:
    """The image task of a name.

    Raises:
        UnknownName: there is no such task.
    """
    if name not in _IMAGES:
        raise UnknownName("image task", name, _IMAGES)
    return _IMAGES[name]


def training(
    task: str | ImageTask = "digits",
    *,
    network: NetworkRecipe | None = None,
    recipe: TrainingRecipe | None = None,
) -> TrainingObjective:
    """Trains cells for real; unless given, network sizes and training are those for `digits`.

    Classes and channels of the images are taken from the task.
    """
    data = images(task) if isinstance(task, str) else task
    sizes = _fitted(network or DIGITS_NETWORK, data)
    return TrainingObjective(sizes, data, recipe or DIGITS_TRAINING)


def supernet(
    task: str | ImageTask = "digits", *, network: NetworkRecipe | None = None
) -> NB201SupernetRecipe:
    """The supernet with the network sizes of `training(task, network=network)`.

    Its batch norms follow `NB201SupernetRecipe`: inside cells without scale and shift, and all
    with the batch's own statistics.
    """
    data = images(task) if isinstance(task, str) else task
    sizes = _fitted(network or DIGITS_NETWORK, data)
    search = replace(sizes, affine=False, track_running_stats=False)
    return NB201SupernetRecipe(search, image_shape(data.load()))


def _fitted(network: NetworkRecipe, task: ImageTask) -> NetworkRecipe:
    splits = task.load()
    return replace(network, classes=splits.classes, in_channels=image_shape(splits)[0])
