"""Scores while a model trains, and the weights that scored best."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ganlib.callbacks.steps import EverySteps
from ganlib.errors import InputError
from ganlib.files import history_text, make_folder, read_json, write_atomically, write_json


class Evaluate(EverySteps):
    """Evaluates every so many steps, keeps a table and the best weights, and hands the scores to later callbacks.

    Writes into the folder evaluations.csv (step, values, standard errors), evaluations.json (with all that the values
    depend on), and of the best step so far best.weights.h5 and then best.json. Each is whole or absent. What lies
    there from beyond the restored step is dropped.

    The latest scores are in the logs of every epoch's end, by metric, so that
    `EarlyStopping("fid", mode="min")`, placed after this callback, sees them.

    Args:
        data: What to compare with, see `ganlib.metrics.evaluate`; pairs, where the model translates.
        every: Steps between evaluations; None: at every epoch's end.
        metrics: Names.
        samples: How many to draw.
        folder: Where the files go; None: nothing is written.
        best: The metric that decides which weights to keep; None: keep none.
        **options: More of `ganlib.metrics.evaluate`: extractor, real_samples, truncation, seed, batch_size, cache.

    Attributes:
        evaluations: step -> Evaluation, of this session.

    Raises:
        InputError: There is no such metric, or `best` is none of `metrics` or neither higher nor lower is better.
    """

    needs = (*EverySteps.needs, "evaluate_on")

    def __init__(
        self,
        data: Any,
        every: int | None = 1000,
        metrics: Sequence[str] = ("fid",),
        samples: int = 2000,
        folder: str | Path | None = None,
        best: str | None = "fid",
        **options: Any,
    ):
        super().__init__(every)
        from ganlib.metrics import evaluator

        names = evaluator.names_of(metrics)
        if best is not None and (best not in names or evaluator.known_metrics()[best] is None):
            raise InputError(
                f"Evaluate(best={best!r}) with metrics {', '.join(names)}: choose one of these that has a better "
                "direction, or None"
            )
        self.data, self.metrics, self.samples, self.best, self.options = data, names, samples, best, options
        self.folder = None if folder is None else Path(folder)
        self._sign = 0 if best is None else {"lower": -1, "higher": 1}[evaluator.known_metrics()[best]]
        self.evaluations: dict[int, Any] = {}
        self._records: list[dict[str, Any]] = []
        self._best_value: float | None = None

    def on_train_begin(self, logs=None):
        """Drop what a killed run left beyond the restored step; take up the best so far."""
        super().on_train_begin()
        self.evaluations, self._records, self._best_value = {}, [], None
        if self.folder is None:
            return
        make_folder(self.folder)
        table, best = self.folder / "evaluations.json", self.folder / "best.json"
        if table.exists():
            self._records = [record for record in read_json(table) if record["step"] <= self.step]
            self._write()
        if best.exists():
            record = read_json(best)
            if record["step"] > self.step:
                best.unlink()
                (self.folder / "best.weights.h5").unlink(missing_ok=True)
            elif self.best in record["scores"]:
                self._best_value = record["scores"][self.best]["value"]

    def at(self) -> None:
        """Evaluate; keep the weights if they are the best so far."""
        options = {"progress": False} | self.options
        evaluation = self.model.evaluate_on(self.data, self.metrics, self.samples, **options)
        self.evaluations[self.step] = evaluation
        record = {"step": self.step, **evaluation.to_dict()}
        self._records = [old for old in self._records if old["step"] != self.step] + [record]
        if self.folder is not None:
            self._write()
        if self.best is None:
            return
        value = float(evaluation[self.best])
        if self._best_value is None or self._sign * value > self._sign * self._best_value:
            self._best_value = value
            if self.folder is not None:
                self.model.save_weights(self.folder / "best.weights.h5")
                write_json(self.folder / "best.json", record)

    def on_epoch_end(self, epoch, logs=None):
        """Put the latest scores into the epoch's logs."""
        if self.every is None:
            self.at()
        if logs is not None and self.evaluations:
            latest = self.evaluations[max(self.evaluations)]
            logs.update({name: float(value) for name, value in latest.items()})

    def _write(self) -> None:
        columns: dict[str, list[float]] = {"step": [record["step"] for record in self._records]}
        for name in self.metrics:
            scores = [record["scores"].get(name, {}) for record in self._records]
            for column, key in ((name, "value"), (f"{name}_standard_error", "standard_error")):
                found = [score.get(key) for score in scores]
                columns[column] = [float("nan") if value is None else value for value in found]
        write_json(self.folder / "evaluations.json", self._records)
        write_atomically(self.folder / "evaluations.csv", history_text(columns))
