"""What a layer's config is, said once; and initial values for layers inside of a layer."""

import inspect
from typing import Any

import keras


class Configured(keras.layers.Layer):
    """A layer that keeps its constructor's arguments as attributes of the same names: they are its config."""

    def get_config(self):
        """The constructor's arguments."""
        parameters = inspect.signature(type(self).__init__).parameters.values()
        names = [p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)][1:]
        own = {name: getattr(self, name) for name in names}
        serialize, kind = keras.initializers.serialize, keras.initializers.Initializer
        own = {name: serialize(value) if isinstance(value, kind) else value for name, value in own.items()}
        return {**super().get_config(), **own}


def fresh(initializer: Any) -> Any:
    """An initialiser of its own for each weight: one of Keras' draws the same numbers each time. Names stay names."""
    if not isinstance(initializer, keras.initializers.Initializer):
        return initializer
    config = initializer.get_config()
    return type(initializer).from_config({k: v for k, v in config.items() if k != "seed"})
