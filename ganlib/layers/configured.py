"""What a layer's config is, said once."""

import inspect

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
