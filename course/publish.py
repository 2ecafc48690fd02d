"""Where the project is published, and all that says so: links, Colab badges, the first cells of notebooks.

`course/published.json` is the source; before `python course/build.py publish` has named a repository there is none, and
no page has a link or a badge. Colab opens notebooks of GitHub only, so other addresses bring no badges.
"""

import importlib.util
import re
from pathlib import Path
from typing import Any

import nbformat

from ganlib.errors import InputError
from ganlib.files import read_json, write_json

FILE = "course/published.json"
NOWHERE = {"repository": "", "branch": "", "source": ""}

_BADGE = "https://colab.research.google.com/assets/colab-badge.svg"
_BADGE_LINE = re.compile(r"\n\n\[!\[Open in Colab\]\([^\n]*")
_BLOCK = re.compile(r"(<!-- published[^\n]*-->\n).*?(<!-- end of published -->)", re.DOTALL)
_URLS = re.compile(r"\[project\.urls\]\n(?:[^\[\n][^\n]*\n)*\n")
_CODE = re.compile(r"(?m)^repository-code:.*\n")


def _lint_module() -> Any:
    """course/lint.py; `course` is not a package."""
    spec = importlib.util.spec_from_file_location("course_lint", Path(__file__).with_name("lint.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


lint = _lint_module()


def published(root: Path) -> dict[str, str]:
    """The repository's address, its branch, and what first cells install ganlib from; empty before it is published."""
    path = root / FILE
    return {**NOWHERE, **read_json(path)} if path.is_file() else dict(NOWHERE)


def name(root: Path, repository: str, source: str | None = None, branch: str = "main") -> None:
    """Note where the project is published.

    Args:
        root: The checkout.
        repository: Its address, https://...
        source: What first cells install ganlib from, before they try the package index; by default the repository.
        branch: Whose notebooks the badges open.

    Raises:
        InputError: The address, the source or the branch is none.
    """
    address = repository.removesuffix("/").removesuffix(".git")
    if not re.fullmatch(r"https://[\w.-]+(:\d+)?(/[\w.~-]+)+", address):
        raise InputError(f"--repository {repository!r} is no address: give https://HOST/OWNER/NAME")
    if source is None:
        source = f"git+{address}"
    if not re.fullmatch(r"[^-\"'\\\s][^\"\\\n]*", source):
        raise InputError(
            f"--source {source!r} is nothing that pip installs: give an address, a wheel or a name"
        )
    if not re.fullmatch(r"\w[\w./-]*", branch):
        raise InputError(f"--branch {branch!r} is no name of a branch: give one, such as main")
    write_json(root / FILE, {"repository": address, "branch": branch, "source": source})


def texts(root: Path) -> dict[Path, str]:
    """Each file that says where the project is published -> what it should say; exercises apart, from solutions."""
    place = published(root)
    edits = {"README.md": _readme, "pyproject.toml": _pyproject, "CITATION.cff": _citation}
    found = {}
    for file, edit in edits.items():
        path = root / file
        if path.is_file():
            found[path] = edit(path.read_text(encoding="utf-8"), root, place)
    for folder in ("notebooks", "solutions"):
        for path in sorted((root / folder).glob("day*.ipynb")):
            notebook = nbformat.read(path, as_version=4)
            _set_first_cell(notebook, place)
            if folder == "notebooks":
                set_badge(notebook, f"notebooks/{path.name}", place)
            found[path] = text_of(notebook)
    return found


def text_of(notebook: Any) -> str:
    """The one way in which this course writes a notebook to a file."""
    return nbformat.writes(notebook, version=4).rstrip("\n") + "\n"


def set_badge(notebook: Any, path: str, place: dict[str, str]) -> None:
    """Under a notebook's title, a badge that opens `path` of the repository in Colab; none if Colab cannot open it."""
    title = next((cell for cell in notebook.cells if cell.source.startswith("# ")), None)
    if title is None:
        return
    heading, newline, rest = _BADGE_LINE.sub("", title.source).partition("\n")
    link = colab(path, place)
    badge = f"\n\n[![Open in Colab]({_BADGE})]({link})" if link else ""
    title.source = heading + badge + newline + rest


def colab(path: str, place: dict[str, str]) -> str:
    """The address that opens a notebook of the repository in Colab; empty if there is none."""
    repository = re.fullmatch(r"https://github\.com/([^/]+/[^/]+)", place["repository"])
    if not repository:
        return ""
    return f"https://colab.research.google.com/github/{repository[1]}/blob/{place['branch']}/{path}"


def _set_first_cell(notebook: Any, place: dict[str, str]) -> None:
    """The generated first cell; the stamp stays right if it was, and wrong if it was not."""
    cell = next((cell for cell in notebook.cells if cell.cell_type == "code"), None)
    if cell is None:
        return
    stamp = notebook.metadata.get("ganlib", {})
    right = stamp.get("code_hash") == lint.code_hash(notebook)
    cell.source = lint.first_cell(place["source"])
    if right:
        stamp["code_hash"] = lint.code_hash(notebook)


def _readme(text: str, root: Path, place: dict[str, str]) -> str:
    return _BLOCK.sub(lambda found: found[1] + _paragraph(root, place) + found[2], text)


def _paragraph(root: Path, place: dict[str, str]) -> str:
    """The README's lines on where to get ganlib."""
    address = place["repository"]
    if not address:
        return (
            "No repository is named here yet: in Colab, upload a notebook and beside it a wheel "
            "(`pip wheel --no-deps .` makes one).\n"
        )
    lines = f"The repository is <{address}>: `git clone {address}`, or `pip install git+{address}`.\n"
    links = []
    for path in sorted((root / "notebooks").glob("day*.ipynb")) + sorted(
        (root / "exercises").glob("day*.ipynb")
    ):
        day, lesson = re.match(r"day(\d+)(?:_(\d+))?", path.stem).groups()
        link = colab(f"{path.parent.name}/{path.name}", place)
        if link:
            links.append(f"[{f'{day}.{lesson}' if lesson else f'exercises {day}'}]({link})")
    return lines + ("Open in Colab:\n" + ",\n".join(links) + ".\n" if links else "")


def _pyproject(text: str, root: Path, place: dict[str, str]) -> str:
    address = place["repository"]
    lines = {"Repository": address} if address else {}
    if colab("", place):  # these are GitHub's paths
        lines |= {
            "Issues": f"{address}/issues",
            "Changelog": f"{address}/blob/{place['branch']}/CHANGELOG.md",
        }
    table = "".join(f'{key} = "{value}"\n' for key, value in lines.items())
    urls = f"[project.urls]\n{table}\n" if table else ""
    return _URLS.sub("", text).replace("[project.scripts]\n", f"{urls}[project.scripts]\n", 1)


def _citation(text: str, root: Path, place: dict[str, str]) -> str:
    line = f'repository-code: "{place["repository"]}"\n' if place["repository"] else ""
    return _CODE.sub("", text) + line
