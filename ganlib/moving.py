"""One step on one replica: for each move of the table all gradients first, then the updates.

Mixed into `Engine`, which has the cast, the table, the optimisers and the random streams.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from ganlib import updates
from ganlib.errors import InputError
from ganlib.replicas import outside_of_scopes
from ganlib.updates import Logs, Move, Player, Update


class Moving:
    """How the moves of a table are made."""

    def train_step(self, batches: Sequence[Any], moves: Sequence[Move] | None = None) -> Logs:
        """A step's moves on each replica's share of its batches, with the random numbers of that share.

        Args:
            batches: Of this step.
            moves: Some of the table's; None: those that run in every step.
        """
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        with self.streams.at(self.step_counter, replica):
            return self.play(batches) if moves is None else self._play(moves, batches)

    def play(self, batches: Sequence[Any]) -> Logs:
        """The moves that run in every step, in the table's order."""
        return self._play([move for move in self._moves() if move.rows[0].every == 1], batches)

    def _play(self, moves: Sequence[Move], batches: Sequence[Any]) -> Logs:
        logs = {}
        for move in moves:
            for i in range(move.rows[0].times):
                logs.update(self.move(move, move.batch_of(batches, i), i))
        return logs

    def move(self, move: Move | Update, batch: Any, repetition: int = 0) -> Logs:
        """All gradients of a move, then its updates; on this replica's share of `batch`, inside of `streams.at`."""
        move = updates.moves_of([move])[0]
        found, logs = self.move_gradients(move, batch, repetition)
        for row, loss, gradients in found:
            with self.streams.scope(row.scope(repetition)):
                for name, of_player in zip(row.players, gradients, strict=True):
                    self._apply(row, self._cast[name], loss, of_player)
        return logs

    def move_gradients(
        self, move: Move, batch: Any, repetition: int = 0
    ) -> tuple[list[tuple[Update, tf.Tensor, list[list[tf.Tensor | None]]]], Logs]:
        """The first half of a move: for each row its loss and, player by player, this replica's part of the gradients.

        Nothing but statistics (and what tricks keep) moves. With `accumulate` all is the mean over micro-batches.
        """
        if self.accumulate == 1:
            return self._part_gradients(move, batch, repetition)
        parts = _cut(batch, self.accumulate)
        networks = self.networks().values()
        start = [(v, tf.identity(v.value)) for network in networks for v in network.non_trainable_variables]
        sums, done = None, []
        for i, part in enumerate(parts):
            # one after the other: running at once they would need the memory of all
            with tf.control_dependencies(done), self.streams.split(i, self.accumulate):
                held = keras.StatelessScope(state_mapping=start) if i else contextlib.nullcontext()
                with held:
                    found, logs = self._part_gradients(move, part, repetition)
                numbers = ([(loss, gradients) for _, loss, gradients in found], logs)
                sums = numbers if sums is None else tf.nest.map_structure(_sum, sums, numbers)
                done = [tensor for tensor in tf.nest.flatten(sums) if tensor is not None]
        means, logs = tf.nest.map_structure(lambda x: None if x is None else x / self.accumulate, sums)
        return [(row, *mean) for (row, *_), mean in zip(found, means, strict=True)], logs

    def _part_gradients(self, move, batch, repetition):
        # Keras' optimisers sum gradients over replicas: each contributes its part of the mean
        share = 1.0 / tf.distribute.get_strategy().num_replicas_in_sync
        with tf.GradientTape(persistent=len(move.rows) > 1) as tape:
            shared = () if move.forward is None else (move.forward(batch),)
            outcomes = []
            for row in move.rows:
                with self.streams.scope(row.scope(repetition)):
                    outcomes.append(row.loss(batch, *shared))
        found, logs = [], {}
        for row, (loss, of_row) in zip(move.rows, outcomes, strict=True):
            variables = [list(self._cast[name].network.trainable_variables) for name in row.players]
            gradients = tape.gradient(loss, variables, output_gradients=tf.constant(share, loss.dtype))
            found.append((row, loss, gradients))
            logs.update({row.name: loss} if row.every > 1 and row.logs is None else of_row)
        return found, logs

    def _apply(self, row: Update, player: Player, loss: tf.Tensor, gradients: list[tf.Tensor | None]) -> None:
        """The second half: one step of a player's optimiser, unless a trick vetoes it."""
        pairs = [
            (gradient, variable)
            for gradient, variable in zip(gradients, player.network.trainable_variables, strict=True)
            if gradient is not None
        ]
        if not pairs:
            raise InputError(
                f"the loss of row {row.name!r} does not depend on {player.name!r}, which it moves: leave that player "
                "out of the row"
            )
        optimizer = self.optimizers()[player.name]
        vetoes = [trick.vetoes(self, player, loss) for trick in self.tricks]
        moved = [*player.network.trainable_variables, *optimizer.variables]
        with _undone_if([veto for veto in vetoes if veto is not None], moved):
            optimizer.apply(*(list(column) for column in zip(*pairs, strict=True)))
        for trick in self.tricks:
            trick.after_update(self, player)

    def gradients(self, batch: Any) -> dict[str, list[tuple[str, tf.Tensor]]]:
        """For each player the path of each trainable variable and the gradient of its losses there; nothing moves.

        Of the rows that run in every step, with the random numbers of the step to come, on one replica, inside and
        outside of the strategy's scope. For monitors and for looking inside.
        """
        return outside_of_scopes(lambda: self._gradients(batch))

    def _gradients(self, batch: Any) -> dict[str, list[tuple[str, tf.Tensor]]]:
        found: dict[str, list[tf.Tensor]] = {}
        for move in self._moves():
            if move.rows[0].every > 1:
                continue
            with self.streams.at(self.step_counter, 0), keras.StatelessScope():
                rows, _ = self._part_gradients(move, batch, 0)
            for row, _, gradients in rows:
                for name, of_player in zip(row.players, gradients, strict=True):
                    sums = found.get(name, [None] * len(of_player))
                    found[name] = [_sum(a, b) for a, b in zip(sums, of_player, strict=True)]
        named = {}
        for name in (name for name in self._cast if name in found):
            variables = self.players()[name].trainable_variables
            named[name] = [
                (v.path, tf.zeros_like(v.value) if g is None else g)
                for v, g in zip(variables, found[name], strict=True)
            ]
        return named

    def frozen(self, network: keras.Model) -> Callable[[Any], Any]:
        """The network in training mode, but with its statistics (batch norm, spectral norm) left as they are.

        Gradients flow through it, to its variables too.
        """

        def call(*inputs, **options):
            trainable = [v.value for v in network.trainable_variables]
            other = [v.value for v in network.non_trainable_variables]
            options = {**self.call_options(), **options}
            return network.stateless_call(trainable, other, *inputs, training=True, **options)[0]

        return call


def _sum(a: tf.Tensor | None, b: tf.Tensor | None) -> tf.Tensor | None:
    """The sum of two gradients, each of which may be none, or rows of a table."""
    if a is None or b is None:
        return b if a is None else a
    return tf.convert_to_tensor(a) + tf.convert_to_tensor(b)


def _cut(batch: Any, parts: int) -> list[Any]:
    """A nest of tensors as `parts` nests of equal rows."""
    tensors = [tf.split(tensor, parts) for tensor in tf.nest.flatten(batch)]
    return [tf.nest.pack_sequence_as(batch, part) for part in zip(*tensors, strict=True)]


@contextlib.contextmanager
def _undone_if(vetoes: list[tf.Tensor], variables: list[keras.Variable]) -> Iterator[None]:
    """What is done to `variables` inside is undone if one of the vetoes, alike on all replicas, is true."""
    if not vetoes:
        yield
        return
    veto = tf.reduce_any(tf.stack(vetoes))
    before = [tf.identity(v.value) for v in variables]
    yield

    def choose(strategy, veto, before):
        for variable, old in zip(variables, before, strict=True):
            strategy.extended.update(
                variable.value, lambda v, veto, old: v.assign(tf.where(veto, old, v)), args=(veto, old)
            )

    tf.distribute.get_replica_context().merge_call(choose, args=(veto, before))
