"""Sweeps: a model trained at every point of a grid of its arguments, each with some seeds, and the table of scores.

sweep.json   what is swept, and how            journal.log   Optuna's record of the trials
trials/      0000 ... : a run folder each      table.csv, table.md, plot.png: after every trial
"""

from ganlib.sweeps.plan import PAPER_SWEEPS, of_paper
from ganlib.sweeps.run import sweep

__all__ = ["PAPER_SWEEPS", "of_paper", "sweep"]
