"""The ledger: what it writes and when, what it refuses, and the table made from it."""

import json
import re
from pathlib import Path

import pytest

from ganlib import claims
from ganlib.errors import InputError
from ganlib.teaching import verdicts
from ganlib.teaching.budget import Budget

ROOT = Path(__file__).parents[1]


def call(**changes):
    """Record claim 1 with good arguments but for `changes`."""
    arguments = {
        "number": 1,
        "lesson": "day1_1_lesson",
        "claim": "At the end D = 1/2.",
        "paper": "Goodfellow et al. 2014",
        "figure": "theorem 1",
        "reported": "D = 1/2 (proved)",
        "measured": {"mean D": [0.5, 0.52, 0.48], "kl | bits": 0.125},
        "verdict": "confirmed",
        "holds": True,
    } | changes
    claims.record(arguments.pop("number"), **arguments)


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A checkout with one lesson and two known claims; the working directory is where its notebooks are."""
    (tmp_path / "course").mkdir()
    known = {"1": {"day": 1, "claim": "D is 1/2."}, "2": {"day": 1, "claim": "-log 4."}}
    known["9"] = {"day": None, "claim": "Other."}
    (tmp_path / "course" / "claims.json").write_text(json.dumps(known))
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "day1_1_lesson.ipynb").write_text("{}")
    monkeypatch.chdir(tmp_path / "notebooks")
    return tmp_path


@pytest.fixture
def under(monkeypatch):
    """Set the budget of `claims`."""
    return lambda name: monkeypatch.setattr(claims, "budget", lambda: Budget(name))


def entries(root):
    return sorted(path.name for path in (root / "course" / "ledger").glob("*"))


def test_laptop_writes_and_smoke_agrees_with_the_same_words(root, under, capsys):
    under("laptop")
    call()
    said = capsys.readouterr().out
    assert said == "Claim 1: confirmed (Goodfellow et al. 2014, theorem 1)\n"
    assert entries(root) == ["01_day1_1_lesson.json"]
    path = root / "course" / "ledger" / "01_day1_1_lesson.json"
    entry = json.loads(path.read_text())
    assert entry["measured"] == {"mean D": [0.5, 0.52, 0.48], "kl | bits": [0.125]}
    assert entry["budget"] == "laptop" and set(entry["versions"]) == {
        "python",
        "tensorflow",
        "keras",
        "numpy",
    }

    before = path.read_bytes()
    under("smoke")
    call(
        measured={"mean D": [0.9], "kl | bits": 7.0}, holds=False
    )  # smoke numbers differ, and are not judged
    assert capsys.readouterr().out == said
    assert path.read_bytes() == before and entries(root) == ["01_day1_1_lesson.json"]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"verdict": "refuted"}, "verdict"),
        ({"paper": "Goodfellow 2014"}, "paper"),
        ({"figure": "theorem 2"}, "figure"),
        ({"claim": "Another."}, "claim"),
        ({"reported": "0.4"}, "reported"),
        ({"measured": {"mean D": 0.5}}, "measures"),
        ({"number": 2}, "no 02_day1_1_lesson.json"),
    ],
)
def test_smoke_fails_where_the_ledger_says_otherwise(root, under, changes, named):
    under("laptop")
    call()
    under("smoke")
    with pytest.raises(InputError, match=named) as raised:
        call(**changes)
    assert "GANLIB_BUDGET=laptop" in str(raised.value) and "\n" not in str(raised.value)
    assert entries(root) == ["01_day1_1_lesson.json"]


def test_a_verdict_that_the_numbers_do_not_bear_out_is_not_written(root, under):
    under("colab")
    with pytest.raises(AssertionError, match=r"claim 1: .*'confirmed'.*mean D: 0\.5 ± 0\.02"):
        call(holds=False)
    assert entries(root) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"number": 0}, "claim number is 0"),
        ({"number": True}, "claim number is True"),
        ({"number": 3}, "claim 3 is not in course/claims.json"),
        ({"verdict": "yes"}, "verdict is 'yes'"),
        ({"claim": ""}, "claim is ''"),
        ({"figure": "1\n2"}, "figure is"),
        ({"lesson": "notebooks/day1.ipynb"}, "lesson is 'notebooks/day1.ipynb'"),
        ({"measured": {}}, "measured is {}"),
        ({"measured": {"D": float("nan")}}, r"measured\['D'\] is nan"),
        ({"measured": {"D": []}}, r"measured\['D'\] is \[\]"),
        ({"measured": {"D": "half"}}, r"measured\['D'\] is 'half'"),
        ({"measured": {"D": [[0.5]]}}, r"measured\['D'\] is \[\[0.5\]\]"),
    ],
)
@pytest.mark.parametrize("budget", ["smoke", "laptop"])
def test_bad_arguments_are_named_and_nothing_is_written(root, under, changes, message, budget):
    under(budget)
    with pytest.raises(InputError, match=message):
        call(**changes)
    assert entries(root) == []


def test_outside_of_a_checkout_it_is_written_beside_the_notebook(tmp_path, monkeypatch, under, capsys):
    monkeypatch.chdir(tmp_path)
    under("smoke")
    call()
    assert list(tmp_path.iterdir()) == []
    under("colab")
    call()
    assert capsys.readouterr().out.count("Claim 1: confirmed") == 2
    entry = json.loads((tmp_path / "claims" / "01_day1_1_lesson.json").read_text())
    assert entry["budget"] == "colab"


def verdicts_of(root, **claims_):
    """Write course/verdicts.json: claim1={...} for claim 1."""
    text = json.dumps(
        {name.removeprefix("claim"): {"why": "So.", **entry} for name, entry in claims_.items()}
    )
    (root / "course" / "verdicts.json").write_text(text)


def rows_of(text):
    return [line for line in text.splitlines() if re.match(r"\| \d+ \|", line)]


def test_the_page_has_a_line_a_claim_and_folds_the_entries_below(root, under):
    under("laptop")
    call()
    verdicts_of(root, claim1={"why": "It was 0.5.", "scale": True})
    page, folded = claims.table(root).split("<details>")
    link = "[day1_1_lesson](../notebooks/day1_1_lesson.ipynb)"
    assert rows_of(page) == [
        f"| 1 | D is 1/2. | confirmed at this scale | It was 0.5. | {link} |",
        "| 2 | -log 4. | untested |  | day 1 |",
        "| 9 | Other. | untested |  | any day |",
    ]
    assert "Tested: 1 of 3" in page and "1 confirmed, 0 partly" in page
    assert all(f"{i}. {sentence}" in page for i, sentence in enumerate(verdicts.RULE, start=1))
    assert rows_of(folded) == [
        "| 1 | At the end D = 1/2. | Goodfellow et al. 2014, theorem 1 | D = 1/2 (proved) "
        f"| mean D: 0.5 ± 0.02; kl \\| bits: 0.125 | 3 | confirmed | {link} |"
    ]
    assert folded.rstrip().endswith("</details>")


def test_what_values_are_over_is_recorded_and_no_deviation_of_it_is_shown(root, under):
    under("laptop")
    call(measured={"growth, three G": [4.6, 17.0, 20.0]}, over={"growth, three G": "generators"})
    verdicts_of(root, claim1={})
    (row,) = rows_of(claims.table(root).split("<details>")[1])
    assert "| growth, three G: 4.6, 17, 20 (generators) | 1 |" in row  # one seed
    under("smoke")
    with pytest.raises(InputError, match="other axes"):
        call(measured={"growth, three G": [4.6, 17.0, 20.0]})
    under("laptop")
    with pytest.raises(InputError, match="over is"):
        call(over={"gone": "generators"})


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([-1.38458, -1.38548, -1.38533], "-1.38513 ± 0.00048"),
        ([581.164, 555.032, 152.662], "430 ± 2.4e+02"),
        ([0.02, 0.02], "0.02 ± 0"),
        ([0.0, 0.0, 1.0], "0.333 ± 0.58"),
        ([158.2], "158"),
    ],
)
def test_a_mean_has_the_digits_that_its_deviation_has(root, under, values, shown):
    under("laptop")
    call(measured={"V": values})
    verdicts_of(root, claim1={})
    assert f"| V: {shown} |" in claims.table(root)


def entry(verdict, seeds=1, lesson="a", **more):
    return {"lesson": lesson, "verdict": verdict, "measured": {"x": [0.5] * seeds}, **more}


@pytest.mark.parametrize(
    ("entries", "judged", "verdict"),
    [
        ([entry("confirmed")], {}, "confirmed"),
        ([entry("confirmed", 3, "a"), entry("confirmed", 3, "b")], {}, "confirmed"),
        ([entry("confirmed", 1, "a"), entry("partly", 3, "b")], {}, "partly"),  # more seeds outweigh
        ([entry("refuted", 3, "a"), entry("partly", 1, "b")], {}, "refuted at this scale"),
        ([entry("inconclusive", 3, "a"), entry("confirmed", 6, "b")], {}, "confirmed"),
        ([entry("confirmed", 3, "a"), entry("refuted", 3, "b")], {}, "partly"),  # contradiction
        ([entry("refuted", 3, "a"), entry("inconclusive", 3, "b")], {}, "inconclusive at this scale"),
        ([entry("confirmed")], {"scale": True}, "confirmed at this scale"),
        ([entry("confirmed")], {"part": {"a": "half of it"}}, "partly"),
        ([entry("refuted")], {"part": {"a": "half of it"}}, "refuted at this scale"),
        ([entry("confirmed")], {"void": {"a": "a circle passes"}}, "inconclusive at this scale"),
        ([entry("refuted", 3, "a"), entry("confirmed", 1, "b")], {"void": {"a": "no control"}}, "confirmed"),
        # three values over generators are one seed
        ([entry("refuted", 3, "a", over={"x": "generators"}), entry("confirmed", 2, "b")], {}, "confirmed"),
    ],
)
def test_entries_are_weighed_by_the_rule(entries, judged, verdict):
    assert verdicts.final(entries, judged) == verdict
    assert verdicts.final(entries[::-1], judged) == verdict


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda root: (root / "course" / "verdicts.json").unlink(), r"different claims: \[1\]"),
        (lambda root: verdicts_of(root, claim1={}, claim2={}), r"different claims: \[2\]"),
        (lambda root: verdicts_of(root, claim1={"why": ""}), "claim 1: needs `why`"),
        (lambda root: verdicts_of(root, claim1={"void": {"gone": "x"}}), "day1_1_lesson"),
        (lambda root: verdicts_of(root, claim1={"verdict": "confirmed"}), "claim 1"),
    ],
)
def test_sentences_that_do_not_fit_the_ledger_are_named(root, under, edit, message):
    under("laptop")
    call()
    verdicts_of(root, claim1={})
    edit(root)
    with pytest.raises(InputError, match=message):
        claims.table(root)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda entry: entry.update(budget="smoke"), "budget is 'smoke'"),
        (lambda entry: entry.update(lesson="day9_gone"), "does not fit"),
        (lambda entry: entry.update(number=4), "claim 4 is not in"),
        (lambda entry: entry.update(verdict="great"), "verdict is 'great'"),
        (lambda entry: entry.update(measured={"D": "half"}), "measured"),
    ],
)
def test_a_broken_entry_is_named(root, under, edit, message):
    under("laptop")
    call()
    path = root / "course" / "ledger" / "01_day1_1_lesson.json"
    entry = json.loads(path.read_text())
    edit(entry)
    path.write_text(json.dumps(entry))
    with pytest.raises(InputError, match=message) as raised:
        claims.table(root)
    assert "01_day1_1_lesson.json" in str(raised.value)


def test_an_entry_whose_lesson_is_gone_is_named(root, under):
    under("laptop")
    call()
    (root / "notebooks" / "day1_1_lesson.ipynb").unlink()
    with pytest.raises(InputError, match="no notebook and no experiment is called 'day1_1_lesson'"):
        claims.table(root)


def test_the_committed_list_has_all_80_claims_and_the_table_is_up_to_date():
    known = claims.known(ROOT)
    assert list(known) == [str(number) for number in range(1, 81)]
    assert all(
        set(claim) == {"day", "claim"} and claim["day"] in (1, 2, 3, 4, 5, None) for claim in known.values()
    )
    written = (ROOT / "course" / "claims.md").read_text(encoding="utf-8")
    assert written == claims.table(ROOT), "course/claims.md is not up to date: run `make exercises`"
    lines = [line.split(" | ")[:3] for line in rows_of(written.split("<details>")[0])]
    assert [line[0] for line in lines] == [f"| {number}" for number in known]  # one line a claim
    said = [line[2].split()[0] for line in lines]
    assert set(said) <= {*claims.VERDICTS, "untested"} and said.count("untested") == 80 - len(
        {entry["number"] for entry in claims.ledger(ROOT)}
    )
