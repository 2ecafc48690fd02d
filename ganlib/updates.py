"""A step as a table: who plays, and which loss moves whom, how often, in which order."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from ganlib.errors import InputError

Logs = dict[str, tf.Tensor]
Loss = Callable[..., tuple[tf.Tensor, Logs]]


class Player(NamedTuple):
    """A network that is trained.

    Attributes:
        name: In logs, errors and files: "generator", "discriminator_a".
        role: "generator", "discriminator" or "encoder": what tricks and optimisers go by.
        network: It.
    """

    name: str
    role: str
    network: keras.Model


class Update(NamedTuple):
    """A row of the table: a loss, and the players that it moves.

    Attributes:
        name: The random scope of its draws, with `{i}` for the repetition where it has several. It is hashed into every
            random number: another name is another run.
        players: Names of those that take a step down the loss.
        loss: `batch` (and what the move's forward pass gave) -> (the mean over this replica's share, its logs).
        times: Repetitions a step, on fresh batches.
        every: Steps from one run to the next; above 1 the row is lazy: it runs in the steps that this number divides.
        batch: Which of the step's batches it sees. None: repetition i sees number i, and a row with fewer repetitions
            than the step has batches the last one.
        logs: Of a lazy row: the names of its logs, which are shown until it runs again. None: its name, for the loss.
    """

    name: str
    players: tuple[str, ...]
    loss: Loss
    times: int = 1
    every: int = 1
    batch: int | None = None
    logs: tuple[str, ...] | None = None

    @property
    def log_names(self) -> tuple[str, ...]:
        """What a lazy row logs."""
        return (self.name,) if self.logs is None else self.logs

    def scope(self, repetition: int) -> str:
        """The random scope of a repetition."""
        return self.name.format(i=repetition)


class Move(NamedTuple):
    """Rows that move at once: one shared forward pass, all losses and gradients, and only then all updates.

    Attributes:
        rows: With the same times, every and batch.
        forward: `batch` -> what each row's loss is given as its second argument; None: nothing is shared.
    """

    rows: tuple[Update, ...]
    forward: Callable[[Any], Any] | None = None

    def batch_of(self, batches: Sequence[Any], repetition: int) -> Any:
        """The batch that a repetition sees, of those that the step drew."""
        chosen, times = self.rows[0].batch, self.rows[0].times
        if chosen is None:
            chosen = repetition if times == len(batches) else -1
        return batches[chosen]


Table = Sequence[Update | Move | tuple[Update, ...]]


def moves_of(table: Table) -> list[Move]:
    """The table with each entry as a move: a row alone is one, a tuple of rows is one without a forward pass.

    Raises:
        InputError: The rows of a move do not run together.
    """
    moves = []
    for entry in table:
        move = Move((entry,)) if isinstance(entry, Update) else entry
        move = move if isinstance(move, Move) else Move(tuple(move))
        if len({(row.times, row.every, row.batch) for row in move.rows}) != 1:
            names = ", ".join(row.name for row in move.rows)
            raise InputError(f"rows {names} are one move: give them the same times, every and batch")
        moves.append(move)
    return moves


def rows_of(moves: Iterable[Move]) -> Iterator[Update]:
    """All rows, in order."""
    return (row for move in moves for row in move.rows)


def lazy_rows(tables: Iterable[Iterable[Move]]) -> list[Update]:
    """The rows of several tables that do not run in every step."""
    return [row for moves in tables for row in rows_of(moves) if row.every > 1]


def batches_a_step(moves: Iterable[Move]) -> int:
    """How many batches a step draws: as many as its most frequent row asks for."""
    return max(row.times for row in rows_of(moves))


def segments_of(moves: Iterable[Move]) -> list[tuple[int, list[Move]]]:
    """Neighbouring moves that run in the same steps, as (every, moves)."""
    segments: list[tuple[int, list[Move]]] = []
    for move in moves:
        every = move.rows[0].every
        if segments and segments[-1][0] == every == 1:
            segments[-1][1].append(move)
        else:
            segments.append((every, [move]))
    return segments


def check_tables(tables: Iterable[Sequence[Move]], players: Iterable[str], optimized: Iterable[str]) -> None:
    """Check that the tables of all phases and the cast fit each other.

    Raises:
        InputError: A row names nobody we know, a player is moved by no row or has no optimiser.
    """
    players, optimized, moved = list(players), set(optimized), set()
    for moves in tables:
        for row in rows_of(moves):
            for name in row.players:
                if name not in players:
                    raise InputError(
                        f"row {row.name!r} moves {name!r}, who does not play: choose of {', '.join(players)}"
                    )
            moved.update(row.players)
    for name in players:
        if name not in moved:
            raise InputError(
                f"no row of the table moves {name!r}: add an Update for it, or hold it among the fixed() networks"
            )
        if name not in optimized:
            raise InputError(
                f"{name!r} has no optimiser: give compile one for its role, or name it in the recipe"
            )
