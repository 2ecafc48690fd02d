"""What the package has, a lesson uses: every model, metric, penalty, trick and monitor, by the package's own lists."""

import ast
import inspect
from pathlib import Path

import nbformat
import pytest

import ganlib

LESSONS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
# What waits for its lesson, by the number of that; the list ends empty.
WAITING = {
    "LAPGAN": "4.1",
    "StackedGAN": "4.1",
    "PGGAN": "4.1",
    "AdaINStyleTransfer": "4.2",
    "StyleGAN": "4.2",
    "FacesCNN": "4.2",
    "FacesFID": "4.2",
    "fid_faces_cnn": "4.2",
    "faces_cnn": "4.2",
    "read_factors": "4.2",
    "StyleGAN2": "4.3",
    "AnnealedR1": "4.3",
    "BigGAN": "5.1",
    "BigGANDeep": "5.1",
    "OrthogonalRegularization": "5.1",
    "ClampedSingularValue": "5.1",
    "LOGAN": "5.1",
    "LatentOptimisation": "5.1",
    "TruncationSweep": "5.1",
    "truncation_sweep": "5.1",
    "saturated_share": "5.1",
    "ClassLeakage": "5.1",
    "class_leakage": "5.1",
    "memorisation_by_class": "5.1",
    "nearest_in_class": "5.1",
    "PAPER_SWEEPS": "5.1",
    "heat_map": "5.1",
    "BigBiGAN": "5.2",
    "LinearProbe": "5.2",
    "linear_probe": "5.2",
    "hub": "5.4",
    "export": "5.4",
    "convert": "5.4",
}


@pytest.fixture(scope="module")
def used():
    """Every name and attribute in the code of the lessons; a name that is only imported does not count."""
    names = set()
    for path in LESSONS:
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "code":
                names |= used_in(cell.source)
    return names


def used_in(source: str) -> set[str]:
    nodes = list(ast.walk(ast.parse(source)))
    return {n.attr for n in nodes if isinstance(n, ast.Attribute)} | {
        n.id for n in nodes if isinstance(n, ast.Name)
    }


def public_classes(module, base: type) -> set[str]:
    """Names of the subclasses of `base` that the module, or a file of the package, defines for its users."""
    return {
        name
        for name, value in vars(module).items()
        if inspect.isclass(value)
        and issubclass(value, base)
        and value is not base
        and f"{value.__module__}.".startswith(f"{module.__name__}.")
        and not name.startswith("_")
    }


def wanted() -> dict[str, set[str]]:
    """kind -> names, from the package."""
    return {
        "model": {cls.__name__ for cls in ganlib.models.registry().values()},
        "metric": set(ganlib.metrics.__all__),
        "loss": public_classes(ganlib.losses, ganlib.losses.Loss),
        "penalty": public_classes(ganlib.penalties, ganlib.penalties.SlopePenalty),
        "trick": public_classes(ganlib.tricks, ganlib.tricks.Trick),
        "monitor": public_classes(ganlib.callbacks, ganlib.callbacks.Monitor),
        "pretrained": {"hub", "export", "convert"},
    }


def test_the_lists_are_not_empty():
    assert {kind: len(names) >= 3 for kind, names in wanted().items()} == dict.fromkeys(wanted(), True)


@pytest.mark.parametrize("kind", ["model", "metric", "loss", "penalty", "trick", "monitor", "pretrained"])
def test_a_lesson_uses_each(kind, used):
    missing = sorted(wanted()[kind] - used - set(WAITING))
    assert not missing, f"no lesson uses {', '.join(missing)}: use each where it is taught, or delete it"


def test_nothing_waits_for_a_lesson_that_is_there(used):
    numbers = {path.stem.removeprefix("day")[:3].replace("_", ".") for path in LESSONS}
    late = sorted(name for name, number in WAITING.items() if number in numbers or name in used)
    assert not late, f"{', '.join(late)}: their lesson is there; take them off the list"


def test_an_import_or_a_mention_is_no_use():
    source = "from ganlib.metrics import ssim\nimport ganlib.metrics.ssim\n# ms_ssim\nprint('prd_curve')"
    assert used_in(source) == {"print"}
    assert used_in("ganlib.metrics.ssim(a, b)") >= {"ssim"}
