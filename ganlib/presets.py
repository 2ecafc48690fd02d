"""Models as data: tables of architectures and presets, and what a model was made with."""

import functools
import inspect
from collections.abc import Callable, Mapping
from importlib import resources
from typing import Any, ClassVar, NamedTuple, Self

import keras
import tensorflow as tf

from ganlib.arguments import require_known, require_positive_integers
from ganlib.errors import InputError
from ganlib.randomness import seeded
from ganlib.weights import require_sound


class Architecture(NamedTuple):
    """An entry of a model file's table: networks, and the arguments that are not the paper's first choice.

    Attributes:
        networks: Sizes, by keyword -> the networks, in the order of the model's constructor.
        defaults: Values of constructor arguments that were given as None.
        recipe: What else of the recipe is this entry's own, for the model's constructor to read.
        table: Model -> its table of updates, where this entry has one of its own; None: the model's.
    """

    networks: Callable[..., Any]
    defaults: Mapping[str, Any] = {}
    recipe: Mapping[str, Any] = {}
    table: Callable[[Any], Any] | None = None

    def build(self, seed: int, options: Mapping[str, Any] = {}, **sizes: Any) -> Any:
        """The networks of these sizes (and other options), with the initial weights of a seed.

        Raises:
            InputError: A size is not a positive integer.
        """
        require_positive_integers(**sizes)
        with seeded(seed):
            return self.networks(**sizes, **options)


class Preset(NamedTuple):
    """What `from_preset` makes: pure data.

    Attributes:
        description: One line, for `ganlib list`.
        arguments: Of the constructor.
        architecture: An entry of the file's table; None: the model's first.
        weights: A file in `ganlib/zoo/`, if the preset is trained.
    """

    description: str
    arguments: Mapping[str, Any] = {}
    architecture: str | None = None
    weights: str | None = None

    @property
    def given(self) -> dict[str, Any]:
        """All arguments of the constructor, the architecture among them."""
        return {**({"architecture": self.architecture} if self.architecture else {}), **self.arguments}


def made(function: Callable[..., keras.Model], *args: Any, **kwargs: Any) -> keras.Model:
    """The network that `function` makes, which can be made again: for averages of it."""
    network = function(*args, **kwargs)
    network.made_by = functools.partial(function, *args, **kwargs)
    return network


def copy_of(network: keras.Model) -> keras.Model:
    """A network of the same layers with the same values, and variables of its own.

    By the architecture's function, if the network was `made`; else by cloning its layers, which takes a functional one.
    """
    again = getattr(network, "made_by", None)
    with seeded(None):  # initial values are drawn, though they are of no interest
        copy = keras.models.clone_model(network) if again is None else again()
    copy.set_weights(network.get_weights())
    return copy


class Configured:
    """What a model was made with, and how to make it again: the first base of `Engine`."""

    presets: ClassVar[dict[str, Preset]] = {}

    def __new__(cls, *args, **kwargs):
        """Note the arguments, defaults included, for `get_config`."""
        model = super().__new__(cls, *args, **kwargs)
        bound = inspect.signature(cls.__init__).bind(model, *args, **kwargs)
        bound.apply_defaults()
        arguments = dict(list(bound.arguments.items())[1:])
        arguments.update(arguments.pop("kwargs", {}))
        object.__setattr__(model, "_arguments", arguments)
        return model

    def settled(
        self, table: Mapping[str, Architecture], architecture: str, **given: Any
    ) -> tuple[Architecture, dict[str, Any]]:
        """The entry of the table, and the arguments with its defaults for those that are None.

        Raises:
            InputError: There is no such architecture.
        """
        require_known("architecture", architecture, table)
        entry = table[architecture]
        values = {name: entry.defaults.get(name) if value is None else value for name, value in given.items()}
        # of a subclass with a constructor of its own, these are not its arguments
        self._arguments.update({name: value for name, value in values.items() if name in self._arguments})
        object.__setattr__(self, "architecture", entry)
        return entry, values

    @classmethod
    def follows(cls, argument: str, given: Mapping[str, Any]) -> bool:
        """Whether the constructor takes an argument, and it was left open: the model then follows the data."""
        return argument in inspect.signature(cls.__init__).parameters and argument not in given

    @classmethod
    def from_preset(cls, name: str, **overrides: Any) -> Self:
        """The model with a preset's arguments, some of them overridden, and its trained weights if it has any.

        Raises:
            InputError: There is no such preset, or no such argument.
            CheckpointError: The trained weights do not fit the overridden arguments.
        """
        model = cls.untrained(name, **overrides)
        weights = cls.presets[name].weights
        if weights is not None:
            with resources.as_file(resources.files("ganlib.zoo") / weights) as path:
                require_sound(path, sealed=True)
                model.load_weights(path)
        return model

    @classmethod
    def untrained(cls, name: str, **overrides: Any) -> Self:
        """`from_preset` without trained weights: with the initial values of its seed.

        Raises:
            InputError: There is no such preset, or no such argument.
        """
        if name not in cls.presets:
            raise InputError(f"{cls.__name__} has no preset {name!r}: choose one of {', '.join(cls.presets)}")
        known = inspect.signature(cls.__init__).parameters
        for argument in overrides:
            if argument not in known or argument == "self":
                choices = ", ".join(list(known)[1:])
                raise InputError(f"{cls.__name__} has no argument {argument!r}: it takes {choices}")
        try:
            return cls(**{**cls.presets[name].given, **overrides})
        except (tf.errors.ResourceExhaustedError, tf.errors.InvalidArgumentError, MemoryError) as error:
            given = ", ".join(f"{argument}={value!r}" for argument, value in overrides.items())
            raise InputError(
                f"{cls.__name__}'s preset {name!r} with {given or 'nothing else'} does not fit into this machine's "
                "memory: use smaller networks"
            ) from error

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as they were given or by default."""
        return {name: _serialized(value) for name, value in self._arguments.items()}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict | None = None) -> Self:
        """The model with these constructor arguments."""
        return cls(**{name: _deserialized(value, custom_objects) for name, value in config.items()})


def _serialized(value: Any) -> Any:
    plain = isinstance(value, str | int | float | bool | type(None))
    if isinstance(value, list | tuple):
        return [_serialized(one) for one in value]
    return value if plain else keras.saving.serialize_keras_object(value)


def _deserialized(value: Any, custom_objects: dict | None) -> Any:
    if isinstance(value, list):
        return [_deserialized(one, custom_objects) for one in value]
    if isinstance(value, dict) and "class_name" in value:
        return keras.saving.deserialize_keras_object(value, custom_objects)
    return value
