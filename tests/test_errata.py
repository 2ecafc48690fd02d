"""Each slip of the slides says how it was checked."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
WAYS = ("text", "excerpts", "code", "arithmetic", "memory", "the slide's own")


def rows():
    lines = (ROOT / "course" / "errata.md").read_text(encoding="utf-8").splitlines()
    tables = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in tables if not set("".join(row)) <= {"-"}]


def test_each_row_says_how_it_was_checked():
    heads = [row for row in rows() if row[0] == "lecture"]
    assert heads and all(row == ["lecture", "the slide", "right", "source", "checked"] for row in heads)
    slips = [row for row in rows() if row[0] != "lecture"]
    assert len(slips) >= 28
    for row in slips:
        assert len(row) == 5 and all(row), row
        ways = re.split(r"; ", row[4])
        assert ways[0].startswith(WAYS), row[4]


def test_code_is_named_with_repository_commit_and_file():
    named = [row[4] for row in rows() if "code: " in row[4]]
    assert len(named) >= 8
    for cell in named:
        assert re.search(r"code: ([\w.-]+/[\w.-]+ [0-9a-f]{7}, `[^`]+`|the same file)", cell), cell
