"""ganlib: Generative Adversarial Networks from the first game (2014) on, to read, run and measure.

`import ganlib` is instant: TensorFlow loads when a model or a dataset is first asked for.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_MODULES = (
    "augment",
    "callbacks",
    "checkpoints",
    "convert",
    "data",
    "ensemble",
    "errors",
    "hub",
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

# What is found here under a name of its own: attribute -> (module, name in it, or "" for the module itself). The
# course's apparatus stands on the library, so it is named here and imported nowhere.
_SHORTCUTS = {
    "Ensemble": ("ganlib.ensemble", "Ensemble"),
    "GAN": ("ganlib.gan", "GAN"),
    "budget": ("ganlib.teaching.budget", "budget"),
    "claims": ("ganlib.teaching.claims", ""),
    "grading": ("ganlib.teaching.grading", ""),
}

_NEED_NO_TENSORFLOW = ("budget", "claims", "errors", "grading", "latents", "plots")

__all__ = [*_SHORTCUTS, *_MODULES]


def __getattr__(name: str) -> Any:
    """Import a submodule, or what a shortcut stands for, when it is first used (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module 'ganlib' has no attribute {name!r}; it has {', '.join(__all__)}")
    path, inner = _SHORTCUTS.get(name, (f"ganlib.{name}", ""))
    if name not in _NEED_NO_TENSORFLOW:
        from ganlib.quiet import import_tensorflow

        import_tensorflow()
    module = importlib.import_module(path)
    return getattr(module, inner) if inner else module


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
