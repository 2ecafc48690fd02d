"""One verdict a claim: the entries of the ledger, weighed by a rule that is written down.

`course/verdicts.json` has, for each tested claim, the sentence that says why, and what a person judged: entries whose
control failed, entries that test a part of the claim only, and whether the claim is about another scale than ours. The
rest is `final`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ganlib.errors import InputError
from ganlib.files import read_json

RULE = (
    "An entry whose control fails is void: what it measured does not tell the claim from its opposite.",
    "Of the others only those with the most seeds count: an experiment outweighs a lesson's single run.",
    "An entry that tests a part of its claim counts as partly, if it confirms that part.",
    "Entries that agree make the verdict. If one is inconclusive, so is the verdict; if they contradict, it is partly.",
    "Refuted and inconclusive hold at this scale only, and so does any verdict on a claim about far larger networks.",
)
_FIELDS = {"why", "numbers", "void", "part", "scale"}


def seeds(entry: Mapping[str, Any]) -> int:
    """How many seeds an entry has: the most values of a quantity whose values are one a seed."""
    over = entry.get("over", {})
    return max(len(values) if name not in over else 1 for name, values in entry["measured"].items())


def final(entries: Sequence[Mapping[str, Any]], judged: Mapping[str, Any]) -> str:
    """The verdict of a claim, by `RULE`.

    Args:
        entries: the claim's entries of the ledger, at least one.
        judged: the claim's part of `course/verdicts.json`: lessons that are "void" or test a "part", each with the
            reason, and whether the claim is about another "scale".
    """
    left = [entry for entry in entries if entry["lesson"] not in judged.get("void", {})]
    most = max((seeds(entry) for entry in left), default=0)
    found = {
        "partly"
        if entry["verdict"] == "confirmed" and entry["lesson"] in judged.get("part", {})
        else entry["verdict"]
        for entry in left
        if seeds(entry) == most
    }
    if not found or "inconclusive" in found:
        found = {"inconclusive"}
    verdict = found.pop() if len(found) == 1 else "partly"
    small = judged.get("scale") or verdict in ("refuted", "inconclusive")
    return f"{verdict} at this scale" if small else verdict


def judged(root: Path, entries: Sequence[Mapping[str, Any]]) -> dict[int, dict[str, Any]]:
    """What `course/verdicts.json` says of each claim that has entries.

    Raises:
        InputError: a tested claim has no sentence there, an untested one has, or a field, or a lesson that is named, is
            not known.
    """
    path = root / "course" / "verdicts.json"
    found = {int(number): entry for number, entry in (read_json(path) if path.is_file() else {}).items()}
    tested = {entry["number"] for entry in entries}
    if set(found) != tested:
        raise InputError(
            f"course/verdicts.json and the ledger have different claims: {sorted(set(found) ^ tested)}; "
            "each tested claim needs a sentence there, and no other may have one"
        )
    for number, entry in found.items():
        lessons = {e["lesson"] for e in entries if e["number"] == number}
        named = {*entry.get("void", {}), *entry.get("part", {})}
        why = entry.get("why", "")
        if not set(entry) <= _FIELDS or not named <= lessons or not why.strip() or "\n" in why:
            raise InputError(
                f"course/verdicts.json, claim {number}: needs `why` in one line; may have `numbers`, `scale`, and "
                f"`void` and `part` with lessons of {sorted(lessons)}"
            )
    return found
