"""Numbers of prose: tags resolve, stale ones are found, and so are numbers without a tag."""

import importlib.util
import json
import math
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

ROOT = Path(__file__).parents[1]
_spec = importlib.util.spec_from_file_location("course_build", ROOT / "course" / "build.py")
build = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(build)
quoted = build.quoted

RUNS = [
    {"arm": "a", "seed": 0, "fid": [90.0, 12.34], "rate": 0.001},
    {"arm": "a", "seed": 1, "fid": [95.0, 15.0], "rate": 0.001},
    {"arm": "b", "seed": 0, "fid": [91.0, 40.0], "rate": 0.002},
]


@pytest.fixture
def root(tmp_path):
    """A checkout with one experiment, one entry of the ledger and one card."""
    files = {
        "ganlib/teaching/results/arms.json": {"runs": RUNS},
        "course/ledger/07_arms.json": {"measured": {"FID, a": [12.34, 15.0], "modes": [8.0]}},
        "ganlib/zoo/card.json": {"recall": {"value": 0.0123}},
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(json.dumps(content))
    return tmp_path


def page(prose, *tags):
    return "## Results\n\n" + prose + "\n\n<!-- numbers\n" + "\n".join(tags) + "\n-->\n"


@pytest.mark.parametrize(
    "path", [*build.notebooks(), *(ROOT / page for page in quoted.PAGES)], ids=lambda path: path.name
)
def test_prose_quotes_what_was_measured(path):
    assert build.numbers_of(path) == []


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ('arms(arm="a").fid[-1]', [12.34, 15.0]),
        ('mean(arms(arm="a").fid[0])', [92.5]),
        ('span(arms(arm="a").fid[-1])', [12.34, 15.0]),
        ('ledger("07_arms")["FID, a"]', [12.34, 15.0]),
        ('100 * file("ganlib/zoo/card.json").recall.value', [1.23]),
        ('arms(arm="b").fid[-1] / 2', [20.0]),
        ("join(low(arms.fid[-1]), at(ordered(arms.fid[0]), 2))", [12.34, 95.0]),
        ("-log(4)", [-math.log(4)]),
        ('peak(arms(arm="a").fid)', [90.0, 95.0]),
        ('larger(arms(arm="a").fid[-1], arms(arm="a").seed)', [12.34, 15.0]),
        ('high(arms(arm="a").fid[-1] - arms(arm="a").seed)', [14.0]),
    ],
)
def test_an_expression_gives_numbers_of_results(root, expression, values):
    assert quoted.Sources(root).value(expression) == pytest.approx(values)


@pytest.mark.parametrize(
    "expression",
    [
        "gone.fid",
        "arms.kid",
        'ledger("08_gone")["FID"]',
        'ledger("07_arms")["FID, b"]',
        'arms(arm="c").fid',
        "arms.arm",
        "mean(",
        "__import__('os')",
        "arms.__class__",
        "[n for n in arms]",
        'printed("FID")',
    ],
)
def test_what_does_not_resolve_is_named(root, expression):
    problems = quoted.page_problems(page("FID is 12.3 here.", f"is 12.3 <- {expression}"), root)
    assert len(problems) == 1 and "12.3" in problems[0]


def test_a_number_that_is_changed_on_purpose_is_found(root):
    prose, tag = "FIDs of 12.3, 15.0 with *a*.", '12.3, 15.0 <- arms(arm="a").fid[-1]'
    assert quoted.page_problems(page(prose, tag), root) == []
    stale = quoted.page_problems(page(prose.replace("12.3", "12.4"), tag.replace("12.3", "12.4")), root)
    assert stale == ["'12.4, 15.0' is stale: its source has 12.34, 15"]
    found, *untied = quoted.page_problems(page(prose.replace("12.3", "12.4"), tag), root)  # the prose alone
    assert "its phrase is not in the prose" in found
    assert [problem.split()[0] for problem in untied] == ["12.4", "15.0"]


def test_a_number_of_a_lesson_that_is_changed_on_purpose_is_found():
    """In a real lesson, with the real results."""
    notebook = nbformat.read(ROOT / "notebooks" / "day3_3_translation.ipynb", as_version=4)
    assert quoted.notebook_problems(notebook, ROOT) == []
    (cell,) = [c for c in notebook.cells if "| L1+cGAN | 9.3, 7.5, 7.3 |" in c.source]
    cell.source = cell.source.replace("9.3, 7.5, 7.3", "9.3, 7.4, 7.3")
    (problem,) = quoted.notebook_problems(notebook, ROOT)
    assert "'9.3, 7.4, 7.3 |" in problem and "is stale" in problem and "7.4565" in problem


def test_sentences_of_verdicts_quote_what_was_measured():
    assert quoted.verdict_problems(ROOT) == []


def test_a_stale_number_of_a_verdict_is_found(root):
    sentence = {"why": "FID 12.3 here.", "numbers": ['FID 12.3 <- low(ledger("07_arms")["FID, a"])']}
    (root / "course" / "verdicts.json").write_text(json.dumps({"7": sentence, "8": {"why": "It has 0.4."}}))
    (untied,) = quoted.verdict_problems(root)
    assert untied.startswith("claim 8: 0.4")
    sentence = {"why": "FID 12.5 here.", "numbers": ['FID 12.5 <- low(ledger("07_arms")["FID, a"])']}
    (root / "course" / "verdicts.json").write_text(json.dumps({"7": sentence}))
    assert quoted.verdict_problems(root) == ["claim 7: 'FID 12.5' is stale: its source has 12.34"]


@pytest.mark.parametrize(
    ("number", "value", "fit"),
    [
        ("0.64", 0.6449, True),
        ("0.64", 0.646, False),
        ("-0.9", -0.93, True),
        ("-0.9", 0.93, False),
        ("8", 8.0, True),
        ("430", 427.0, True),
        ("430", 436.0, False),
        ("100", 94.0, False),
        ("1,117", 1117.3, True),
        ("0.1", 0.05, True),
        ("0.0", 0.06, False),
    ],
)
def test_a_number_fits_if_it_is_the_value_rounded_to_its_digits(number, value, fit):
    assert quoted.fits(number, value) is fit


@pytest.mark.parametrize(
    ("prose", "untied"),
    [
        ("It is 0.37 here.", ["0.37"]),
        ("FID 148 to 159.", ["148"]),
        ("Lessons 1.1 and 2.1, section 4.2, arXiv:1701.07875, Python 3.11, `0.37`.", []),
        ("| a | the paper | ours |\n|---|---|---|\n| b | 18.3 | 0.37 |", ["0.37"]),
        ("Eight steps, 32x32, 1,280 images.", []),
        ("In 86% of cases, and 3 of 7.", ["86"]),
    ],
)
def test_numbers_without_a_tag_are_noticed(root, prose, untied):
    problems = quoted.page_problems("## Results\n\n" + prose + "\n", root)
    assert [problem.split()[0] for problem in problems] == untied


def test_what_a_lesson_prints_or_has_in_its_code_needs_no_tag_in_that_section(root):
    cells = [
        new_markdown_cell("## One\n\nAt a rate of 0.002 FID ends at 12.3, not at 77.7."),
        new_code_cell(
            "rate = 0.002",
            outputs=[new_output("stream", name="stdout", text="FID 12.34\n")],
            execution_count=1,
        ),
        new_markdown_cell("## Two\n\nIt was 12.3.\n\n<!-- numbers\nwas 12.3 <- printed\n-->"),
        new_markdown_cell(
            'It was 12.3 and 12.\n\n<!-- numbers\n12.3 and 12 <- join(printed("FID"), 12)\n-->'
        ),
        new_markdown_cell("It was 12.3."),
    ]
    problems = quoted.notebook_problems(new_notebook(cells=cells), root)
    assert [problem.split(" (in")[0] for problem in problems] == ["cell 1: 77.7", "cell 5: 12.3"]
    cells[1].outputs[0]["text"] = "FID 12.44\n"  # run again, with another result
    problems = quoted.notebook_problems(new_notebook(cells=cells), root)
    assert [problem.split(":")[0] for problem in problems] == [
        "cell 1",
        "cell 1",
        "cell 3",
        "cell 4",
        "cell 5",
    ]


def test_a_phrase_has_as_many_numbers_as_its_source(root):
    (problem,) = quoted.page_problems(page("FID is 12.3.", 'is 12.3 <- arms(arm="a").fid[-1]'), root)
    assert problem == "'is 12.3' has 1 numbers, its source 2: 12.34, 15"
    (problem,) = quoted.page_problems(page("It ends well.", 'ends <- arms(arm="a").fid[-1]'), root)
    assert problem == "the tag of 'ends' has no number"


def test_a_paper_has_a_place(root):
    assert quoted.page_problems(page("It has 8.09.", "has 8.09 <- paper Salimans 2016, table 3"), root) == []
    assert len(quoted.page_problems(page("It has 8.09.", "has 8.09 <- paper"), root)) == 1


def test_the_densities_of_lesson_1_1_cross_where_it_says():
    def normal(x, mean, sigma):
        return math.exp(-0.5 * ((x - mean) / sigma) ** 2) / (sigma * math.sqrt(2 * math.pi))

    def difference(x):
        return 0.6 * normal(x, -1.5, 0.5) + 0.4 * normal(x, 1.0, 0.5) - normal(x, 0.5, 0.8)

    assert difference(-0.745) > 0 > difference(-0.735)
    assert all(difference(-0.73 + 0.01 * i) < 0 for i in range(500))
