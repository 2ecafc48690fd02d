"""Make what is generated from what is written, and check that both agree.

    python course/build.py notebooks [--force] [FILE...]   run lessons and solutions, store outputs and stamp
    python course/build.py exercises                       solutions/dayN.ipynb -> exercises/dayN.ipynb
    python course/build.py claims                          course/ledger, course/verdicts.json -> course/claims.md
    python course/build.py first                           write the first cell of lessons, solutions and exercises
    python course/build.py publish --repository URL [--source ...] [--branch ...]
                                                           name the repository: links, badges and first cells
    python course/build.py lint [FILE...]                  hold lessons and solutions to the format, and their numbers
                                                           to the results that they are from
    python course/build.py check                           lint, with pages, and whether all of the above is up to date

Every file is written whole or not at all. Exit status 1 if something failed or is not right.
"""

import argparse
import importlib.util
import os
import sys
import time
from pathlib import Path
from typing import Any

import nbformat

from ganlib.errors import GanlibError
from ganlib.files import write_atomically
from ganlib.teaching import claims, grading

ROOT = Path(__file__).resolve().parents[1]


def _module(name: str) -> Any:
    """A file of course/, wherever this one was started or imported from; `course` is not a package."""
    spec = importlib.util.spec_from_file_location(f"course_{name}", ROOT / "course" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


publish, quoted = _module("publish"), _module("quoted")
lint, text_of = publish.lint, publish.text_of


def notebooks(root: Path = ROOT) -> list[Path]:
    """All lessons, then all solutions."""
    return sorted((root / "notebooks").glob("day*.ipynb")) + sorted((root / "solutions").glob("day*.ipynb"))


def run(path: Path) -> float:
    """Execute a notebook in place, under laptop unless GANLIB_BUDGET is set, and stamp it.

    The stamp is `metadata.ganlib`: the hash of the code, the budget, the seconds that the cells took.

    Returns:
        The seconds.

    Raises:
        GanlibError: a cell raised, or the outputs are not fit to be stored. The file is then as before.
    """
    budget = os.environ.setdefault("GANLIB_BUDGET", "laptop")  # kernels inherit it
    notebook = nbformat.read(path, as_version=4)
    started = time.monotonic()
    notebook = grading.execute(notebook, path.parent)
    seconds = time.monotonic() - started
    notebook.metadata = nbformat.from_dict(
        {
            "ganlib": {"budget": budget, "code_hash": lint.code_hash(notebook), "seconds": round(seconds)},
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    unfit = [problem for problem in lint.stale(notebook) if "budget" not in problem]
    if unfit:
        raise GanlibError("; ".join(unfit))
    write_atomically(path, text_of(notebook))
    return seconds


def exercise_of(solution: Path) -> str:
    """The text of the exercise that a solution makes."""
    exercise = grading.blank(nbformat.read(solution, as_version=4), f"{solution.parent.name}/{solution.name}")
    publish.set_badge(exercise, f"exercises/{solution.name}", publish.published(solution.parents[1]))
    return text_of(exercise)


def write_exercises(root: Path = ROOT) -> None:
    """solutions/dayN.ipynb -> exercises/dayN.ipynb."""
    for solution in sorted((root / "solutions").glob("day*.ipynb")):
        write_atomically(root / "exercises" / solution.name, exercise_of(solution))


def write_first_cells(root: Path = ROOT) -> None:
    """Write first cells, badges and links as `course/published.json` has them, where they are others."""
    for path, text in publish.texts(root).items():
        if text != path.read_text(encoding="utf-8"):
            write_atomically(path, text)
    write_exercises(root)


def problems_of(path: Path) -> list[str]:
    """What is wrong with the format of a lesson or a solution."""
    notebook = nbformat.read(path, as_version=4)
    size = path.stat().st_size
    if path.parent.name == "solutions":
        return lint.common(notebook, size) + lint.stale(notebook) + _unchecked(notebook, path.stem)
    return lint.problems(notebook, size)


def numbers_of(path: Path, root: Path = ROOT) -> list[str]:
    """Numbers in the prose of a notebook or a page that are stale, or tied to no result."""
    if path.suffix == ".md":
        return quoted.page_problems(path.read_text(encoding="utf-8"), root)
    return quoted.notebook_problems(nbformat.read(path, as_version=4), root)


def _unchecked(notebook: Any, day: str) -> list[str]:
    """Tasks of a day that its solution does not check exactly once, in a cell of its own."""
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    found = []
    for name in grading.tasks(day):
        checks = [source for source in code if f'ganlib.grading.check("{name}"' in source]
        if len(checks) != 1 or "\n" in checks[0]:
            found.append(f"{name} is not checked once, by a cell of one line")
    return found


def outdated(root: Path = ROOT) -> list[str]:
    """Which exercises, first cells, badges and links, and whether the table of claims, are not as generated now."""
    found = []
    for path, text in publish.texts(root).items():
        if path.read_text(encoding="utf-8") != text:
            where = path.relative_to(root).as_posix()
            found.append(
                f"{where} has another first cell or link than {publish.FILE} says: "
                "run `python course/build.py first`"
            )
    solutions = {path.name: path for path in (root / "solutions").glob("day*.ipynb")}
    for name, solution in sorted(solutions.items()):
        exercise = root / "exercises" / name
        if not exercise.is_file() or exercise.read_text(encoding="utf-8") != exercise_of(solution):
            found.append(f"exercises/{name} is not what its solution makes: edit that, and `make exercises`")
    for path in sorted((root / "exercises").glob("*.ipynb")):
        if path.name not in solutions:
            found.append(f"exercises/{path.name} has no solution: delete it")
    table = root / "course" / "claims.md"
    if not table.is_file() or table.read_text(encoding="utf-8") != claims.table(root):
        found.append("course/claims.md is not what the ledger makes: run `make exercises`")
    return found


def main(arguments: list[str] | None = None) -> int:
    """The command line; see the module's docstring."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "command", choices=["notebooks", "exercises", "claims", "first", "publish", "lint", "check"]
    )
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
    parser.add_argument(
        "--force", action="store_true", help="run notebooks whose outputs are up to date, too"
    )
    parser.add_argument("--repository", metavar="URL", help="publish: the repository's address")
    parser.add_argument(
        "--source", help="publish: what first cells install ganlib from  [default: the repository]"
    )
    parser.add_argument("--branch", default="main", help="publish: the branch that badges open")
    options = parser.parse_args(arguments)
    if (options.command == "publish") != (options.repository is not None):
        parser.error("publish needs --repository URL, and no other command takes it")
    files = options.files or notebooks()
    failed = False
    try:
        if options.command == "notebooks":
            failed = not all([_run_and_say(path.resolve(), options.force) for path in files])
        elif options.command == "exercises":
            write_exercises(ROOT)
        elif options.command in ("first", "publish"):
            if options.command == "publish":
                publish.name(ROOT, options.repository, options.source, options.branch)
            write_first_cells(ROOT)
        elif options.command == "claims":
            write_atomically(ROOT / "course" / "claims.md", claims.table(ROOT))
        else:
            pages = [ROOT / page for page in quoted.PAGES if options.command == "check"]
            found = [f"{path.name}: {problem}" for path in files for problem in problems_of(path.resolve())]
            found += [f"{path.name}: {problem}" for path in [*files, *pages] for problem in numbers_of(path)]
            if options.command == "check":
                found += [f"course/verdicts.json: {problem}" for problem in quoted.verdict_problems(ROOT)]
                found += outdated()
            print("\n".join(found) or "all is right")
            failed = bool(found)
    except (GanlibError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return int(failed)


def _run_and_say(path: Path, force: bool) -> bool:
    if not force and not lint.stale(nbformat.read(path, as_version=4)):
        print(f"{path.name}: up to date")
        return True
    try:
        print(f"{path.name}: {run(path):.0f} s", flush=True)
    except GanlibError as error:
        print(f"{path.name}: {error}", file=sys.stderr, flush=True)
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
