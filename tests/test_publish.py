"""`python course/build.py publish`: before it no page names a repository; after it all name the same."""

import importlib.util
import re
import shutil
import tomllib
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[1]
ADDRESS = "https://github.com/someone/ganlib"
COLAB = "https://colab.research.google.com/github/someone/ganlib/blob/main"

_spec = importlib.util.spec_from_file_location("course_build", ROOT / "course" / "build.py")
build = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(build)


@pytest.fixture
def pages(tmp_path, monkeypatch):
    """A copy of one lesson, one solution and its exercise, and of the files that name the repository; unpublished."""
    for file in ("notebooks/day1_1_the_game.ipynb", "solutions/day1.ipynb", "exercises/day1.ipynb"):
        (tmp_path / file).parent.mkdir()
        shutil.copy(ROOT / file, tmp_path / file)
    for file in ("README.md", "pyproject.toml", "CITATION.cff"):
        shutil.copy(ROOT / file, tmp_path / file)
    (tmp_path / "course").mkdir()
    shutil.copy(ROOT / "course" / "claims.json", tmp_path / "course")
    (tmp_path / "course" / "claims.md").write_text(build.claims.table(tmp_path), encoding="utf-8")
    build.write_first_cells(tmp_path)
    monkeypatch.setattr(build, "ROOT", tmp_path)
    return tmp_path


def publish(pages, *arguments):
    return build.main(["publish", *arguments])


def contents(root):
    files = (path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in files}


def first_cell(path):
    return next(cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code").source


def test_before_a_repository_is_named_no_page_has_a_link_to_one(pages):
    for name, text in contents(pages).items():
        assert (
            "colab.research" not in text and "project.urls" not in text and "repository-code" not in text
        ), name
    assert "No repository is named here yet" in (pages / "README.md").read_text()
    assert 'GANLIB_SOURCE = ""' in first_cell(pages / "exercises" / "day1.ipynb")


def test_all_pages_name_the_repository(pages):
    assert publish(pages, "--repository", f"{ADDRESS}.git") == 0
    assert build.outdated(pages) == []
    readme = (pages / "README.md").read_text()
    assert f"git clone {ADDRESS}`" in readme and "No repository" not in readme
    assert f"[1.1]({COLAB}/notebooks/day1_1_the_game.ipynb)" in readme
    assert f"[exercises 1]({COLAB}/exercises/day1.ipynb)" in readme
    urls = tomllib.loads((pages / "pyproject.toml").read_text())["project"]["urls"]
    assert urls == {
        "Repository": ADDRESS,
        "Issues": f"{ADDRESS}/issues",
        "Changelog": f"{ADDRESS}/blob/main/CHANGELOG.md",
    }
    assert f'repository-code: "{ADDRESS}"' in (pages / "CITATION.cff").read_text()
    for file in ("notebooks/day1_1_the_game.ipynb", "exercises/day1.ipynb"):
        badges = re.findall(r"\[!\[Open in Colab\]\(https://[^)]*\)\]\(([^)]*)\)", (pages / file).read_text())
        assert badges == [f"{COLAB}/{file}"]
        assert f'GANLIB_SOURCE = "git+{ADDRESS}"' in first_cell(pages / file)
    assert "Open in Colab" not in (pages / "solutions" / "day1.ipynb").read_text()
    for file in ("notebooks/day1_1_the_game.ipynb", "solutions/day1.ipynb"):
        assert build.problems_of(pages / file) == []  # nothing has to be run again


def test_publishing_twice_changes_nothing_and_another_address_replaces_the_first(pages):
    before = contents(pages)
    publish(pages, "--repository", ADDRESS)
    once = contents(pages)
    publish(pages, "--repository", f"{ADDRESS}/")
    assert contents(pages) == once != before
    publish(pages, "--repository", "https://github.com/other/gans", "--source", "ganlib", "--branch", "next")
    second = contents(pages)
    assert not [name for name, text in second.items() if "someone" in text]
    assert 'GANLIB_SOURCE = "ganlib"' in first_cell(pages / "exercises" / "day1.ipynb")
    assert "github/other/gans/blob/next/notebooks/day1_1" in second["README.md"]
    publish(pages, "--repository", ADDRESS)
    assert contents(pages) == once
    (pages / build.publish.FILE).unlink()
    build.write_first_cells(pages)
    assert contents(pages) == before


def test_where_colab_cannot_open_it_there_are_no_badges(pages):
    publish(pages, "--repository", "https://git.example.org/courses/ganlib")
    assert not [name for name, text in contents(pages).items() if "colab.research" in text]
    urls = tomllib.loads((pages / "pyproject.toml").read_text())["project"]["urls"]
    assert urls == {"Repository": "https://git.example.org/courses/ganlib"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--repository", "someone/ganlib"],
        ["--repository", 'https://github.com/a/b"\nevil = "'],
        ["--repository", ADDRESS, "--source", 'x"; import os'],
        ["--repository", ADDRESS, "--source", ""],
        ["--repository", ADDRESS, "--branch", "a b"],
    ],
)
def test_what_is_no_address_is_refused_and_nothing_is_written(pages, arguments, capsys):
    before = contents(pages)
    assert publish(pages, *arguments) == 1
    assert arguments[-2] in capsys.readouterr().err and contents(pages) == before


def test_only_publish_takes_a_repository(capsys):
    for arguments in (["publish"], ["lint", "--repository", ADDRESS]):
        with pytest.raises(SystemExit):
            build.main(arguments)
        assert "publish needs --repository URL" in capsys.readouterr().err
