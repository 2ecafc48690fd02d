"""Checks give the right hint, blanks are made right, and the checker reports what fails."""

import inspect
import json
import time
from pathlib import Path

import keras
import nbformat
import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf
from click.testing import CliRunner
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from ganlib import cli, grading, latents, layers, losses, metrics, penalties
from ganlib.errors import GanlibError, InputError
from ganlib.teaching import isolated
from ganlib.teaching.grading import AnswerError, Mistake, Task

DAYS = ("day1", "day2", "day3")
TASKS = [task for day in DAYS for task in grading.tasks(day).values()]


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_the_reference_passes_and_says_so(task, capsys):
    grading.check(task.name, task.reference)
    assert capsys.readouterr().out == f"{task.name} passed: {task.title}\n"


@pytest.mark.parametrize(
    ("task", "mistake"),
    [
        pytest.param(task, mistake, id=f"{task.name}-{i}")
        for task in TASKS
        for i, mistake in enumerate(task.mistakes)
    ],
)
def test_a_typical_mistake_gets_its_own_hint(task, mistake, capsys):
    with pytest.raises(AnswerError) as raised:
        grading.check(task.name, mistake.answer)
    assert str(raised.value) == f"{task.name}, {task.title}: {mistake.hint}"
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_there_are_hints_for_three_mistakes_or_more(task):
    assert len({mistake.hint for mistake in task.mistakes}) >= 3
    assert all(len(mistake.hint) > 20 and "\n" not in mistake.hint for mistake in task.mistakes)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_a_blank_is_told_apart_from_a_mistake(task):
    def blank(*arguments):
        raise NotImplementedError(grading.BLANK)

    with pytest.raises(AnswerError, match=r"not answered yet"):
        grading.check(task.name, blank)


def js_by_entropies(p, q, dx):
    def entropy(a):
        return scipy.special.entr(a).sum() * dx

    return entropy((p + q) / 2) - (entropy(p) + entropy(q)) / 2


def losses_by_cross_entropy(real, fake):
    def loss(target, logits):
        labels = tf.fill(tf.shape(logits), target)
        return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits))

    return [loss(1.0, real) + loss(0.0, fake), loss(1.0, fake)]


def losses_by_keras(real, fake):
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    return (
        loss(keras.ops.ones_like(real), real) + loss(keras.ops.zeros_like(fake), fake),
        loss(keras.ops.ones_like(fake), fake),
    )


def gradients_by_tape(logits):
    logits = tf.convert_to_tensor(logits)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(logits)
        minimax, non_saturating = -tf.nn.softplus(logits), tf.nn.softplus(-logits)
    return tape.gradient(minimax, logits), tape.gradient(non_saturating, logits)


def train_counting_down(steps, k, draw_real, draw_latent, update_discriminator, update_generator):
    while steps:
        for latent in [draw_latent() for _ in range(k)]:
            update_discriminator(real=draw_real(), latent=latent)
        update_generator(latent=draw_latent())
        steps -= 1


def optimal_by_loop(p, q):
    return [0.5 if a == b == 0 else a / (a + b) for a, b in zip(p, q, strict=True)]


def wasserstein_by_quantile_functions(x, y):
    distance, y = 0.0, sorted(y)
    for i, grain in enumerate(sorted(x)):
        distance += abs(grain - y[i]) / len(y)
    return distance


def unrolled_step_by_tape(g, d, rate, k):
    g = tf.constant(g, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(g)
        ahead = tf.constant(d, tf.float64)
        for _ in range(k):
            ahead += rate * g  # the derivative of g d by d
        f = g * ahead
    return g - rate * tape.gradient(f, g), d + rate * g


def slerp_by_orthogonal_part(a, b, t):
    length = np.linalg.norm(a)
    along = a / length
    across = b - (b @ along) * along
    angle = np.arctan2(np.linalg.norm(across), b @ along)
    # np.sinc(x) is sin(pi x) / (pi x), and 1 at 0
    weights = [part * np.sinc(part * angle / np.pi) / np.sinc(angle / np.pi) for part in (1 - t, t)]
    return weights[0] * a + weights[1] * b


def repaired_by_keras(g, d, real, z_d, z_g):
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    g, d = tf.Variable(g), tf.Variable(d)

    def judge(x):
        return d[0] + d[1] * x / 6 + d[2] * x**2 / 36

    with tf.GradientTape() as tape:
        fake = judge(g[0] + g[1] * z_d)
        value = loss(tf.ones_like(real), judge(real)) + loss(tf.zeros_like(fake), fake)
    keras.optimizers.SGD(1.0).apply([tape.gradient(value, d)], [d])
    with tf.GradientTape() as tape:
        fake = judge(g[0] + g[1] * z_g)
        value = loss(tf.ones_like(fake), fake)
    g.assign_sub(0.03 * tape.gradient(value, g))
    return [g.numpy(), d.numpy()]


def hinge_by_keras(real, fake):
    loss = keras.losses.Hinge()
    both = loss(keras.ops.ones_like(real), real) + loss(-keras.ops.ones_like(fake), fake)
    return [both, keras.ops.mean(-fake)]


def wgan_step_counting_down(weights, n_critic, c, draw_real, draw_latent, update_critic, update_generator):
    latents = [draw_latent() for _ in range(n_critic + 1)]
    while len(latents) > 1:
        update_critic(latent=latents.pop(), real=draw_real())
        for weight in weights:
            weight.assign(np.clip(weight.numpy(), -c, c))
    update_generator(latents.pop())


def penalty_sample_by_sample(critic, real, fake, alpha):
    terms = []
    for i in range(len(real)):
        x = fake[i : i + 1] + alpha[i] * (real[i : i + 1] - fake[i : i + 1])
        with tf.GradientTape() as tape:
            tape.watch(x)
            score = critic(x)
        flat = tf.reshape(tape.gradient(score, x), [-1])
        terms.append(tf.square(1.0 - tf.sqrt(tf.tensordot(flat, flat, 1) + 1e-10)))
    return tf.add_n(terms) / len(terms)


def spectral_in_numpy(weight, u):
    w, u = weight.numpy(), u.numpy()
    v = w @ u
    v /= np.linalg.norm(v)
    new = v @ w / np.linalg.norm(v @ w)
    sigma = tf.einsum("i,ij,j->", tf.constant(v), weight, tf.constant(new))
    return weight / sigma, new


def smoothed_by_cross_entropy(real, fake, smoothing):
    cross_entropy = tf.nn.sigmoid_cross_entropy_with_logits
    target = tf.fill(real.shape, 1 - smoothing)
    return tf.reduce_mean(cross_entropy(target, real)) + tf.reduce_mean(
        cross_entropy(tf.zeros_like(fake), fake)
    )


def inception_score_by_divergences(p):
    return np.exp(np.mean([scipy.stats.entropy(row, p.mean(axis=0)) for row in p]))


def frechet_by_eigenvalues_of_the_product(real, fake):
    a, b = np.cov(real.T), np.cov(fake.T)
    roots = np.sqrt(np.maximum(np.linalg.eigvals(a @ b).real, 0))
    return ((real.mean(0) - fake.mean(0)) ** 2).sum() + np.trace(a + b) - 2 * roots.sum()


def precision_recall_by_loops(real, fake, k):
    def within(points, centres):
        hits = 0
        for point in points:
            for i, centre in enumerate(centres):
                others = np.delete(centres, i, axis=0)
                radius = np.partition(((others - centre) ** 2).sum(axis=1), k - 1)[k - 1]
                if ((point - centre) ** 2).sum() <= radius:
                    hits += 1
                    break
        return hits / len(points)

    return within(fake, real), within(real, fake)


def repaired_by_variables(critic, generator, real, z_critic, z_generator, alpha):
    critic, (mean, scale) = [tf.Variable(w) for w in critic], [tf.Variable(w) for w in generator]

    def score(x):
        hidden = x @ critic[0] + critic[1]
        return tf.maximum(hidden, 0.2 * hidden) @ critic[2]

    with tf.GradientTape() as outer:
        fake = tf.stop_gradient(mean + scale * z_critic)
        x = fake + alpha * (real - fake)
        with tf.GradientTape() as inner:
            inner.watch(x)
            scores = score(x)
        penalty = tf.reduce_mean(tf.square(tf.norm(inner.gradient(scores, x), axis=1) - 1))
        loss = tf.reduce_mean(score(fake) - score(real)) + 10 * penalty
    for weight, gradient in zip(critic, outer.gradient(loss, critic), strict=True):
        weight.assign_sub(0.01 * gradient)
    with tf.GradientTape() as tape:
        reward = tf.reduce_mean(score(mean + scale * z_generator))
    for weight, gradient in zip((mean, scale), tape.gradient(reward, (mean, scale)), strict=True):
        weight.assign_add(0.03 * gradient)
    return critic, [mean, scale]


def conditional_batch_norm_by_layer(x, labels, gamma, beta, epsilon):
    layer = layers.ConditionalBatchNormalization(len(gamma), epsilon=epsilon)
    layer.build((x.shape, labels.shape))
    layer.gamma.assign(gamma)
    layer.beta.assign(beta)
    return layer([tf.constant(x, tf.float32), labels], training=True)


def acgan_by_keras(real_source, real_classes, real_labels, fake_source, fake_classes, fake_labels):
    naming = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    game = losses.Minimax()
    named = naming(fake_labels, fake_classes)
    d = sum(game.discriminator(tf.constant(real_source), tf.constant(fake_source)))
    return d + naming(real_labels, real_classes) + named, game.generator(tf.constant(fake_source)) + named


def projection_by_layer(features, labels, embeddings, psi, bias):
    layer = layers.Projection(len(embeddings))
    layer.build((features.shape, labels.shape))
    layer.embedding.embeddings.assign(embeddings)
    return layer([features, labels]) + tf.linalg.matvec(features, psi)[:, None] + bias


def intra_class_fid_by_sorting(real, real_labels, fake, fake_labels):
    def heaps(features, labels):
        order = np.argsort(labels)
        return np.split(features[order], np.cumsum(np.bincount(labels))[:-1])

    pairs = zip(heaps(real, real_labels), heaps(fake, fake_labels), strict=True)
    distances = [frechet_by_eigenvalues_of_the_product(*pair) for pair in pairs]
    return distances, sum(distances) / len(distances)


def attention_by_layer(x, query, key, value, out, gamma):
    layer = layers.SelfAttention()
    layer.build(x.shape)
    for convolution, weight in zip(
        (layer.query, layer.key, layer.value, layer.out), (query, key, value, out), strict=True
    ):
        convolution.kernel.assign(weight[None, None])
    layer.gamma.assign(gamma)
    return layer(tf.constant(x, tf.float32))


def attention_by_loops(x, query, key, value, out, gamma):
    y = np.array(x)
    n, height, width, _ = x.shape
    for one in range(n):
        keys, values = (
            [
                (x[one, i : i + 2, j : j + 2] @ weight).max(axis=(0, 1))
                for i in range(0, height, 2)
                for j in range(0, width, 2)
            ]
            for weight in (key, value)
        )
        for i in range(height):
            for j in range(width):
                weights = scipy.special.softmax(np.array(keys) @ (x[one, i, j] @ query))
                y[one, i, j] += gamma * (weights @ np.array(values) @ out)
    return y


def cost_by_layer(height, width, channels, batch):
    layer = layers.SelfAttention()
    layer.build((None, height, width, channels))
    return layer.map_bytes(height, width, batch), layer.count_params()


def receptive_field_from_the_end(kernel_sizes, strides):
    field = 1
    for kernel_size, stride in zip(kernel_sizes[::-1], strides[::-1], strict=True):
        field = (field - 1) * stride + kernel_size
    return field


def receptive_field_by_marking(kernel_sizes, strides):
    seen = {0}
    for kernel_size, stride in zip(kernel_sizes[::-1], strides[::-1], strict=True):
        seen = {stride * place + offset for place in seen for offset in range(kernel_size)}
    return max(seen) - min(seen) + 1


def cycle_by_keras(a, b, g_ab, g_ba, cycle_weight, identity_weight):
    apart = keras.losses.MeanAbsoluteError()
    cycle = apart(a, g_ba(g_ab(a))) + apart(b, g_ab(g_ba(b)))
    return [cycle_weight * cycle, identity_weight * cycle_weight * (apart(a, g_ba(a)) + apart(b, g_ab(b)))]


def listening_by_variables(judge, d, g, points, labels, order, labels_d, labels_g, z_d, z_g):
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    d, g = [tf.Variable(weight) for weight in d], tf.Variable(g)

    def score(x, y):
        return judge([tf.convert_to_tensor(weight) for weight in d], x, y)

    with tf.GradientTape() as tape:
        real = score(points.numpy()[order], labels.numpy()[order])
        fake = score(tf.gather(g.numpy(), labels_d) + 0.3 * z_d, labels_d)
        value = loss(tf.ones_like(real), real) + loss(tf.zeros_like(fake), fake)
    for weight, gradient in zip(d, tape.gradient(value, d), strict=True):
        weight.assign_sub(0.1 * gradient)
    with tf.GradientTape() as tape:
        fake = score(tf.gather(tf.convert_to_tensor(g), labels_g) + 0.3 * z_g, labels_g)
        value = loss(tf.ones_like(fake), fake)
    g.assign_sub(tf.convert_to_tensor(tape.gradient(value, g)))
    return [d, g]


RIGHT_ANSWERS = (
    ("day1.1", lambda real, fake: sum(np.log(real)) / len(real) + sum(np.log1p(-fake)) / len(fake)),
    (
        "day1.1",
        lambda real, fake: tf.reduce_mean(tf.math.log(real)) + keras.ops.mean(keras.ops.log(1 - fake)),
    ),
    ("day1.2", optimal_by_loop),
    ("day1.2", lambda p, q: np.nan_to_num(p / (p + q), nan=0.5)),
    ("day1.3", js_by_entropies),
    ("day1.3", lambda p, q, dx: dx * scipy.special.rel_entr([p, q], (p + q) / 2).sum() / 2),
    ("day1.4", losses_by_cross_entropy),
    ("day1.4", losses_by_keras),
    ("day1.5", gradients_by_tape),
    ("day1.5", lambda a: (-scipy.special.expit(a), scipy.special.expit(a) - 1)),
    ("day1.6", train_counting_down),
    ("day1.7", wasserstein_by_quantile_functions),
    ("day1.7", scipy.stats.wasserstein_distance),
    ("day1.8", unrolled_step_by_tape),
    ("day1.9", slerp_by_orthogonal_part),
    ("day1.9", latents.slerp),
    ("day1.10", repaired_by_keras),
    ("day2.1", hinge_by_keras),
    ("day2.2", wgan_step_counting_down),
    ("day2.3", penalty_sample_by_sample),
    (
        "day2.3",
        lambda critic, real, fake, alpha: penalties.gradient_penalty(
            critic, penalties.interpolated(real, fake, alpha)
        ),
    ),
    ("day2.4", spectral_in_numpy),
    ("day2.5", smoothed_by_cross_entropy),
    (
        "day2.5",
        lambda real, fake, smoothing: sum(losses.NonSaturating(smoothing).discriminator(real, fake)),
    ),
    ("day2.6", inception_score_by_divergences),
    ("day2.6", lambda p: metrics.inception_score(p, splits=1)[0]),
    ("day2.7", frechet_by_eigenvalues_of_the_product),
    ("day2.7", metrics.frechet_distance),
    ("day2.8", precision_recall_by_loops),
    ("day2.8", metrics.precision_recall),
    ("day2.9", repaired_by_variables),
    ("day3.1", conditional_batch_norm_by_layer),
    ("day3.2", acgan_by_keras),
    ("day3.3", projection_by_layer),
    ("day3.4", intra_class_fid_by_sorting),
    ("day3.5", attention_by_layer),
    ("day3.5", attention_by_loops),
    ("day3.6", cost_by_layer),
    ("day3.7", receptive_field_from_the_end),
    ("day3.7", receptive_field_by_marking),
    ("day3.8", cycle_by_keras),
    ("day3.9", listening_by_variables),
)


@pytest.mark.parametrize(("name", "answer"), RIGHT_ANSWERS)
def test_right_answers_written_differently_pass(name, answer):
    grading.check(name, answer)


def test_each_task_has_a_right_answer_written_differently():
    assert {name for name, _ in RIGHT_ANSWERS} == {task.name for task in TASKS}


TOY = Task(
    name="toy.1",
    title="toy",
    reference=lambda a: (2 * a, "up"),
    cases=((np.array([1.0, 2.0]),),),
    mistakes=(Mistake("double it, do not square it", lambda a: (a**2, "up")),),
)


def spoil(a):
    a *= 0
    return 2 * a, "up"


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (3, "give the function itself, without calling it: it is of type int"),
        (lambda a: None, "does it end with `return`"),
        (lambda a: 2 * a, "it returns 1 values on [1., 2.], but 2 are asked for"),
        (lambda a: (4.0, "up"), "value 1 has shape () on [1., 2.], but should have (2,)"),
        (lambda a: (a / 0, "up"), "value 1 is not finite on [1., 2.]: look for log(0)"),
        (lambda a: (2 * a, "down"), "value 2 is 'down' on [1., 2.], but should be 'up'"),
        (lambda a: (None, "up"), "value 1 is None on [1., 2.], but should be [2., 4.]"),
        (lambda a: (3 * a, "up"), "it returns [3., 6.], 'up' on [1., 2.], but should return [2., 4.], 'up'"),
        (lambda a: (a**2, "up"), "double it, do not square it"),
        (lambda a: a + "b", "it raises"),
        (lambda a, b: a, "it raises TypeError on [1., 2.]: "),
        (spoil, "it returns [0., 0.], 'up' on [1., 2.], but should return"),
    ],
)
def test_other_mistakes_are_described(monkeypatch, answer, hint):
    monkeypatch.setattr(grading, "tasks", lambda day: {"toy.1": TOY})
    with pytest.raises(AnswerError) as raised:
        grading.check("toy.1", answer)
    message = str(raised.value)
    assert message.startswith("toy.1, toy: ") and hint in message and "\n" not in message
    assert raised.value._render_traceback_() == [f"Not yet. {message}"]


def test_cases_survive_an_answer_that_writes_into_them():
    assert TOY.cases[0][0].tolist() == [1.0, 2.0]


@pytest.mark.parametrize("name", ["day1.99", "day9.1", "1.1", "", "../day1.1"])
def test_an_unknown_task_is_named(name):
    with pytest.raises(InputError, match=r"there (is no task|are no exercises)"):
        grading.check(name, abs)


# Blanks


def solution_notebook(*cells):
    return new_notebook(cells=list(cells), metadata={"ganlib": {"code_hash": "x"}})


ANSWER = """\
def f(x):
    ### BEGIN SOLUTION
    y = x
    return y
    ### END SOLUTION


### BEGIN SOLUTION
z = 1
### END SOLUTION
print(z)"""


def test_solutions_are_blanked_with_their_indentation():
    picture = nbformat.v4.new_output("display_data", {"image/png": "AAAA"})
    text = nbformat.v4.new_output("stream", text="1\n")
    solution = solution_notebook(
        new_markdown_cell("Write f."),
        new_markdown_cell("The answer is x.", metadata={"tags": ["solution"]}),
        new_code_cell(ANSWER, outputs=[text], execution_count=1),
        new_code_cell("plot(f)", outputs=[text, picture], execution_count=2, metadata={"tags": ["expected"]}),
    )
    before = nbformat.writes(solution)
    exercise = grading.blank(solution, "solutions/day1.ipynb")
    assert nbformat.writes(solution) == before
    note, prose, code, plot = exercise.cells
    assert "Generated from `solutions/day1.ipynb`" in note.source and "do not edit" in note.source
    assert prose.source == "Write f."
    assert code.source == (
        'def f(x):\n    raise NotImplementedError("your code here")\n\n\n'
        'raise NotImplementedError("your code here")\nprint(z)'
    )
    assert (code.outputs, code.execution_count) == ([], None)
    assert (plot.outputs, plot.execution_count) == ([picture], None)
    assert "ganlib" not in exercise.metadata
    nbformat.validate(exercise)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("### BEGIN SOLUTION\nx = 1", "day1.ipynb, cell 1: ### BEGIN SOLUTION without its partner"),
        ("x = 1\n### END SOLUTION", "day1.ipynb, cell 1: ### END SOLUTION without its partner"),
        (
            "### BEGIN SOLUTION\n### BEGIN SOLUTION\n### END SOLUTION",
            "### BEGIN SOLUTION without its partner",
        ),
        ("x = 1", "day1.ipynb has no ### BEGIN SOLUTION"),
    ],
)
def test_markers_that_do_not_pair_are_named(text, message):
    with pytest.raises(InputError, match=message):
        grading.blank(solution_notebook(new_code_cell(text)), "solutions/day1.ipynb")


# The checker


def test_the_checker_tells_right_wrong_and_missing_apart(tmp_path):
    notebook = new_notebook(
        cells=[
            new_code_cell("import numpy as np\nimport ganlib"),
            new_code_cell(
                "from pathlib import Path\nPath('left-behind').write_text('x')\nraise RuntimeError"
            ),
            new_code_cell("value = lambda r, f: np.mean(np.log(r)) + np.mean(np.log(1 - f))"),
            new_code_cell('ganlib.grading.check("day1.1", value)'),
            new_code_cell("ganlib.grading.check('day1.2', lambda p, q: p / q)"),
            new_markdown_cell('ganlib.grading.check("day1.3", value)'),
        ]
    )
    path = tmp_path / "mine.ipynb"
    nbformat.write(notebook, path)
    before = path.read_bytes()
    outcomes = grading.grade(path)
    assert list(outcomes) == [task.name for task in grading.tasks("day1").values()]
    assert outcomes["day1.1"] is None
    assert outcomes["day1.2"].startswith("AnswerError: day1.2, the optimal discriminator: p/q is the ratio")
    assert outcomes["day1.3"] == outcomes["day1.10"] == "its check is not in the notebook"
    assert path.read_bytes() == before and [file.name for file in tmp_path.iterdir()] == ["mine.ipynb"]


def test_a_cell_that_raises_is_named(tmp_path):
    cells = [new_markdown_cell("x"), new_code_cell("1 / 0"), new_code_cell("open('x', 'w')")]
    with pytest.raises(GanlibError, match="cell 2 raises ZeroDivisionError: division by zero"):
        grading.execute(new_notebook(cells=cells), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_cell_that_takes_too_long_is_stopped(tmp_path):
    notebook = new_notebook(cells=[new_code_cell("import time\ntime.sleep(60)")])
    with pytest.raises(GanlibError, match="did not run to its end"):
        grading.execute(notebook, tmp_path, timeout=1)


@pytest.mark.parametrize("text", ["", "{}", "not json", None])
def test_what_is_not_a_notebook_is_named(tmp_path, text):
    path = tmp_path / "bad.ipynb"
    if text is not None:
        path.write_text(text)
    done = CliRunner().invoke(cli.main, ["grade", str(path)])
    assert done.exit_code == 2
    assert str(path) in done.stderr and done.stderr.count("\n") == 1


def test_a_broken_notebook_costs_its_own_report_only(tmp_path, monkeypatch):
    (tmp_path / "bad.ipynb").write_text("not json")
    whole = grading.grade
    monkeypatch.setattr(
        grading,
        "grade",
        lambda path, timeout: whole(path) if "bad" in str(path) else dict.fromkeys(["day1.1"]),
    )
    names = [str(tmp_path / name) for name in ("a.ipynb", "bad.ipynb", "b.ipynb")]
    done = CliRunner().invoke(cli.main, ["grade", *names])
    assert done.exit_code == 2 and done.stdout.count("1 of 1 tasks passed") == 2
    found = json.loads(CliRunner().invoke(cli.main, ["grade", *names, "--json"]).stdout)
    assert list(found) == names and "cannot read" in found[names[1]]["error"]


def test_a_notebook_without_checks_is_an_error(tmp_path):
    nbformat.write(new_notebook(cells=[new_code_cell("x = 1")]), tmp_path / "a.ipynb")
    with pytest.raises(InputError, match=r"a\.ipynb has no ganlib\.grading\.check"):
        grading.grade(tmp_path / "a.ipynb")


def graded(folder, *cells, timeout=60):
    """What the grader says of a notebook of these cells."""
    path = folder / "a.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell(cell) for cell in cells]), path)
    return grading.grade(path, timeout=timeout)


def test_a_check_that_was_silenced_or_never_ends_has_not_passed(tmp_path):
    outcomes = graded(
        tmp_path,
        "import time, ganlib\ndef endless(*args):\n    while True: time.sleep(0.1)",
        'ganlib.grading.check("day1.1", endless)',
        'try:\n    ganlib.grading.check("day1.2", max)\nexcept Exception:\n    print("fine")',
        timeout=15,  # our first cell imports TensorFlow
    )
    assert outcomes["day1.1"] == "it ran for more than 15 s and was interrupted"
    assert outcomes["day1.2"].startswith("AnswerError: day1.2, ")


CHEATS = (
    # what is printed decides nothing
    'print("day1.1 passed: the value of the game")\nif False: ganlib.grading.check("day1.1", None)',
    # nor a check, or what it stands on, that was replaced
    "import ganlib.teaching.grading as g\ng._same = lambda *a: True\ng._judged = lambda *a: None\n"
    'ganlib.grading.check("day1.2", lambda p, q: p / q)',
    # references cannot be had, now or when the answer is called
    'from ganlib.teaching.exercises.day1 import TASKS\nganlib.grading.check("day1.3", TASKS[2].reference)',
    "def later(*arguments):\n    from ganlib.teaching.exercises.day1 import TASKS\n"
    '    return TASKS[3].reference(*arguments)\nganlib.grading.check("day1.4", later)',
    # nor the caller's expectations
    "import sys\ndef peeping(*arguments):\n    frame = sys._getframe()\n    while frame:\n"
    '        for name in ("expected", "task", "answer"):\n            found = frame.f_locals.get(name)\n'
    '            if name == "expected" and found is not None: return found[0]\n'
    '            if hasattr(found, "reference"): return found.reference(*arguments)\n'
    '        frame = frame.f_back\n    raise LookupError("nothing to see")\n'
    'ganlib.grading.check("day1.5", peeping)',
    # a message of our kind, without the number that only our cells know
    "from IPython.display import publish_display_data\n"
    'publish_display_data({"application/vnd.ganlib.answer+json": {"nonce": "", "name": "day1.6", "seen": []}})\n'
    'raise SystemExit\nganlib.grading.check("day1.6", None)',
    # what is left for the next student
    "from pathlib import Path\nhome = Path.home()\n"
    '(home / ".ipython/profile_default/startup").mkdir(parents=True, exist_ok=True)\n'
    '(home / ".ipython/profile_default/startup/99.py").write_text("import ganlib")\n'
    'ganlib.grading.check("day1.7", lambda *a: str(home))',
    # a right answer among them, and one more after the check is gone
    'ganlib.grading.check("day1.8", RIGHT)',
    'ganlib.grading.check = lambda name, answer: print(f"{name} passed:")\nganlib.grading.check("day1.9", RIGHT)',
)


def test_short_cheats_do_not_pass_and_leave_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "graders"))
    (tmp_path / "graders").mkdir()
    right = inspect.getsource(dict(RIGHT_ANSWERS)["day1.8"])
    name = dict(RIGHT_ANSWERS)["day1.8"].__name__
    start = (
        f"import numpy as np\nimport tensorflow as tf\nimport keras\nimport ganlib\n{right}\nRIGHT = {name}"
    )
    outcomes = graded(tmp_path, start, *CHEATS)
    hints = {
        "day1.1": "its check did not run",
        "day1.2": "AnswerError: day1.2, the optimal discriminator: p/q is the ratio",
        "day1.3": "AnswerError: there are no references",
        "day1.4": "it raises AnswerError",
        "day1.5": "there are no references",
        "day1.6": "SystemExit",
        "day1.7": "AnswerError: day1.7",
        "day1.9": "its check did not run",
    }
    for task, hint in hints.items():
        assert outcomes[task] is not None and hint in outcomes[task], (task, outcomes[task])
    assert outcomes["day1.8"] is None
    assert str(tmp_path) not in outcomes["day1.7"]  # the home was another
    assert not list((tmp_path / "graders").rglob("99.py"))  # Jupyter itself makes its folders there


def test_a_process_that_ends_or_does_not_end_costs_its_own_report(tmp_path):
    check = 'import ganlib\nganlib.grading.check("day1.1", max)'
    assert "ended its own process" in graded(tmp_path, check, "import os\nos._exit(3)")["day1.1"]
    stubborn = (
        "import signal, subprocess, sys, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        'child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])\n'
        f'open({str(tmp_path / "child")!r}, "w").write(str(child.pid))\n'
        "while True:\n    try: time.sleep(1)\n    except BaseException: pass"
    )
    began = time.monotonic()
    assert "was killed" in graded(tmp_path, check, stubborn, timeout=3)["day1.1"]
    assert time.monotonic() - began < 90
    child = int((tmp_path / "child").read_text())
    assert not Path(f"/proc/{child}").exists() or "zombie" in Path(f"/proc/{child}/status").read_text()


def test_output_without_end_is_dropped_as_it_comes():
    cell = new_code_cell('for i in range(300):\n    print("x" * 100_000)\nprint("end")')
    executed, ended = isolated.run(new_notebook(cells=[cell]), "", ["print(1 + 1)"], 60)
    printed = "".join(output.text for output in executed.cells[0].outputs)
    assert 0 < len(printed) <= isolated.LARGEST_OUTPUT and ended is None
    assert executed.cells[1].outputs[0].text == "2\n"


def test_what_a_notebook_says_is_one_line_without_escapes(tmp_path):
    cell = 'raise ValueError("one\\ntwo \\x1b[31mred\\x1b]0;title\\x07 \\x00end")\nganlib.grading.check("day1.1", max)'
    assert graded(tmp_path, cell)["day1.1"] == "ValueError: one two red end"


def test_the_command_reports_and_its_status_is_the_result(tmp_path, monkeypatch):
    outcomes = dict.fromkeys(grading.tasks("day1"))
    title = grading.tasks("day1")["day1.2"].title
    outcomes["day1.2"] = f"AnswerError: day1.2, {title}: p/q is the ratio"
    monkeypatch.setattr(grading, "grade", lambda path, timeout: outcomes)
    done = CliRunner().invoke(cli.main, ["grade", "mine.ipynb"])
    assert done.exit_code == 1
    lines = done.stdout.splitlines()
    assert lines[0] == "mine.ipynb" and lines[-1] == f"  {len(outcomes) - 1} of {len(outcomes)} tasks passed"
    assert f"  not yet  day1.2  {title}" in lines and "           p/q is the ratio" in lines
    done = CliRunner().invoke(cli.main, ["grade", "mine.ipynb", "--json"])
    assert json.loads(done.stdout) == {"mine.ipynb": outcomes}
    outcomes["day1.2"] = None
    assert CliRunner().invoke(cli.main, ["grade", "mine.ipynb", "yours.ipynb"]).exit_code == 0
    assert CliRunner().invoke(cli.main, ["grade"]).exit_code == 2


@pytest.mark.parametrize(
    ("hidden", "named"),
    [
        (["nbclient"], "nbclient"),
        (["nbformat", "nbclient", "ipykernel"], "nbformat nbclient ipykernel"),
    ],
)
def test_what_a_bare_installation_lacks_is_named_once(hidden, named, monkeypatch, tmp_path):
    original = grading.importlib.util.find_spec
    monkeypatch.setattr(
        grading.importlib.util, "find_spec", lambda name: None if name in hidden else original(name)
    )
    names = [str(tmp_path / "a.ipynb"), str(tmp_path / "b.ipynb")]
    done = CliRunner().invoke(cli.main, ["grade", *names])
    assert done.exit_code == 1 and done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.endswith(f"pip install {named}")
    with pytest.raises(GanlibError, match="grading runs notebooks"):
        grading.grade(names[0])


@pytest.mark.parametrize(("given", "seconds"), [("600", 600), ("2.4", 2), ("0.2", 1)])
def test_the_time_that_nbclient_is_given_is_an_integer(given, seconds, monkeypatch, tmp_path):
    """traitlets 5.7, Colab's, refuses a float."""
    path = tmp_path / "mine.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell('ganlib.grading.check("day1.1", f)')]), path)
    asked = []
    monkeypatch.setattr(isolated, "run", lambda *given: asked.append(given[-1]) or 1 / 0)
    CliRunner().invoke(cli.main, ["grade", str(path), "--timeout", given])
    assert asked == [seconds] and type(asked[0]) is int
