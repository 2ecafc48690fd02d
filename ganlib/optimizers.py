"""Optimisers as data: a recipe names them, `compile` makes them, and a lazy regulariser corrects them."""

from typing import Any

import keras

from ganlib.arguments import require_positive, require_positive_integers
from ganlib.errors import InputError


def adam(
    learning_rate: Any, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-8
) -> keras.optimizers.Optimizer:
    """Kingma & Ba 2015, arXiv:1412.6980, with its epsilon (Keras' default is 1e-7).

    Raises:
        InputError: The rate is a number, and not above 0.
    """
    if not isinstance(learning_rate, keras.optimizers.schedules.LearningRateSchedule):
        require_positive(example="2e-4", learning_rate=learning_rate)
        learning_rate = float(learning_rate)  # Keras takes no int
    return keras.optimizers.Adam(learning_rate, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon)


def lazy(optimizer: keras.optimizers.Optimizer, every: int) -> keras.optimizers.Optimizer:
    """The Adam for a player that has a regulariser of its own step every `every` steps.

    Karras et al. 2020, arXiv:1912.04958, appendix B: `every` + 1 updates are taken where there were `every`, so with
    c = every / (every + 1) the rate becomes c times itself and the betas their c-th powers.

    Raises:
        InputError: It is no Adam, or its rate is a schedule.
    """
    require_positive_integers(every=every)
    config = optimizer.get_config()
    if type(optimizer) is not keras.optimizers.Adam or not isinstance(config["learning_rate"], float):
        raise InputError(
            f"{type(optimizer).__name__} cannot be corrected for lazy regularisation: give an Adam with a fixed rate"
        )
    c = every / (every + 1)
    config["learning_rate"] *= c
    config |= {name: config[name] ** c for name in ("beta_1", "beta_2")}
    return keras.optimizers.Adam.from_config(config)


def restart(optimizer: keras.optimizers.Optimizer) -> None:
    """Set slots and count of updates to zero, as they were when it was built; the learning rate stays."""
    for variable in optimizer.variables:
        if variable.name != "learning_rate":
            variable.assign(keras.ops.zeros_like(variable))
