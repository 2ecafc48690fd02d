"""ganlib: Generative Adversarial Networks from the first game (2014) on, to read, run and measure.

`import ganlib` is instant: TensorFlow loads when a model or a dataset is first asked for.
"""

import importlib
from typing import Any

from ganlib.budget import budget

__version__ = "0.1.0"

_MODULES = (
    "callbacks",
    "checkpoints",
    "claims",
    "data",
    "errors",
    "grading",
    "latents",
    "layers",
    "losses",
    "metrics",
    "models",
    "monitors",
    "penalties",
    "plots",
    "randomness",
    "scaling",
    "tricks",
)

_NEED_NO_TENSORFLOW = ("claims", "errors", "grading", "latents", "plots")

__all__ = ["GAN", "budget", *_MODULES]


def __getattr__(name: str) -> Any:
    """Import a submodule, or `GAN`, when it is first used (PEP 562)."""
    if name == "GAN":
        return _load("ganlib.gan").GAN
    if name in _MODULES:
        return _load(f"ganlib.{name}")
    raise AttributeError(f"module 'ganlib' has no attribute {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _load(module: str) -> Any:
    if module.rpartition(".")[2] not in _NEED_NO_TENSORFLOW:
        from ganlib.quiet import import_tensorflow

        import_tensorflow()
    return importlib.import_module(module)
