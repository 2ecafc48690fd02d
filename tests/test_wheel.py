"""Ganlib as it is installed: all that it needs is in its wheel, and every command works without the checkout.

Lessons, exercises and solutions run from the wheel, too: see conftest.py.
"""

import json
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_file_of_the_package_is_in_the_wheel(wheel):
    site = Path(wheel["PYTHONPATH"])
    files = [path.relative_to(ROOT) for path in (ROOT / "ganlib").rglob("*") if path.is_file()]
    files = [path for path in files if "__pycache__" not in path.parts and not path.name.startswith(".")]
    assert not [str(path) for path in files if not (site / path).is_file()]
    assert len(list((site / "ganlib" / "teaching" / "results").glob("*.json"))) > 20
    licences = {path.name for path in site.glob("ganlib-*.dist-info/licenses/**/*") if path.is_file()}
    assert {"LICENSE", "LICENSE-faces.txt", "LICENSE-fashion-mnist.txt"} <= licences


COMMANDS = """
    import os, pathlib

    import nbformat
    from click.testing import CliRunner

    import ganlib
    from ganlib.cli import main

    os.chdir(pathlib.Path(__file__).parent)
    code = "import ganlib; ganlib.grading.check('day1.1', lambda *a: 0)"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)]), "day1.ipynb")
    said = {}
    for line in LINES:
        done = CliRunner().invoke(main, line.split(), catch_exceptions=False)
        said[line] = [done.exit_code, done.output[-300:]]
    files = sorted(str(path) for path in pathlib.Path(".").rglob("*.png"))
    result = [ganlib.__file__, said, files, len(ganlib.claims.committed("equilibrium"))]
"""
LINES = [
    "list",
    "list --data",
    "doctor",
    "train projection-gan --preset smoke --kimg 0.016 --no-score --out run",
    "sample run --n 4 --out samples.png",
    "evaluate run --samples 60 --metrics precision --extractor random-convolutions --out scores.json",
    "export run --out module",
    "train pix2pix --preset smoke --kimg 0.008 --no-score --out pairs",
    "translate pairs --n 2 --out translations.png",
    "grade day1.ipynb",
    "sweep dcgan --preset smoke --kimg 0.016 --grid learning_rate=1e-4 --metrics precision --samples 60 "
    "--extractor random-convolutions --out sweep",
]


def test_every_command_works_from_the_wheel(wheel, run_python):
    file, said, pictures, runs = run_python(f"    LINES = {LINES!r}\n" + COMMANDS, environment=wheel)
    assert file.startswith(wheel["PYTHONPATH"])
    code, output = said.pop("grade day1.ipynb")
    assert code == 1 and "day1.1" in output  # a wrong answer
    failed = {line: output for line, (code, output) in said.items() if code}
    assert not failed, json.dumps(failed, indent=1)
    assert {"samples.png", "translations.png"} <= set(pictures) and runs > 0
