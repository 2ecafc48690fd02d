"""ACGAN against its paper: counts and widths of the appendix's tables, both losses by hand, gradients of the heads."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from ganlib import losses
from ganlib.errors import InputError
from ganlib.layers import BatchNormalization, Dropout, OneHot
from ganlib.models import ACGAN
from ganlib.models.acgan import accuracy, class_loss


def trainable(network):
    return sum(int(np.prod(v.shape)) for v in network.trainable_variables)


@pytest.fixture(scope="module")
def cifar():
    return ACGAN.from_preset("cifar10_32")


@pytest.fixture(scope="module")
def gan():
    gan = ACGAN.from_preset("smoke", num_classes=3, dropout=0.0)
    gan.compile()
    return gan


def discriminator_count(resolution, classes):
    count, last = 0, 3
    for i in range(6):
        width = 16 * 2**i
        count += 9 * last * width + (2 * width if i else width)  # scale and offset, or a bias
        last = width
    return count + (resolution // 8) ** 2 * 512 * (1 + classes) + 1 + classes


def test_cifar_networks_are_table_2(cifar):
    dense = (100 + 10 + 1) * 4 * 4 * 384
    transposed = (25 * 384 + 2) * 192 + (25 * 192 + 2) * 96 + (25 * 96 + 1) * 3
    assert trainable(cifar.generator) == dense + transposed == 2_993_763
    assert trainable(cifar.discriminator) == discriminator_count(32, 10) == 1_663_883
    convolutions = [layer for layer in cifar.discriminator.layers if "conv" in layer.name]
    assert [(c.filters, c.kernel_size[0], c.strides[0]) for c in convolutions] == [
        (16, 3, 2), (32, 3, 1), (64, 3, 2), (128, 3, 1), (256, 3, 2), (512, 3, 1),
    ]  # fmt: skip
    kinds = [type(layer) for layer in cifar.discriminator.layers]
    assert (kinds.count(BatchNormalization), kinds.count(Dropout)) == (5, 6)
    assert {layer.rate for layer in cifar.discriminator.layers if isinstance(layer, Dropout)} == {0.5}
    shapes = [tuple(layer.output.shape[1:]) for layer in cifar.generator.layers if "conv" in layer.name]
    assert shapes == [(8, 8, 192), (16, 16, 96), (32, 32, 3)]
    kernels = [v.numpy() for n in cifar.players().values() for v in n.weights if v.name == "kernel"]
    assert all(abs(kernel.std() - 0.02) < 3e-3 for kernel in kernels)


def test_imagenet_networks_are_table_1():
    gan = ACGAN.from_preset("imagenet_128")
    assert gan.get_config()["architecture"] == "imagenet"
    shapes = [tuple(layer.output.shape[1:]) for layer in gan.generator.layers if "conv" in layer.name]
    assert shapes == [(16, 16, 384), (32, 32, 256), (64, 64, 192), (128, 128, 3)]
    dense = (100 + 10 + 1) * 8 * 8 * 768
    widths = [768, 384, 256, 192]
    transposed = sum((25 * a + 2) * b for a, b in itertools.pairwise(widths))
    assert trainable(gan.generator) == dense + transposed + (25 * 192 + 1) * 3 == 16_531_139
    assert trainable(gan.discriminator) == discriminator_count(128, 10) == 3_015_563


def test_recipe(cifar):
    cifar.compile()
    assert (cifar.batch_size, cifar.latent_dim, cifar.n_critic) == (100, 100, 1)
    assert cifar.classes.num_classes == 10
    assert isinstance(cifar.adversarial_loss, losses.Minimax) and cifar.ema_decay is None
    for optimizer in cifar.optimizers().values():
        assert (optimizer.beta_1, optimizer.beta_2) == (0.5, 0.999)
        assert float(optimizer.learning_rate) == pytest.approx(2e-4)


def with_constant_heads(gan, source, classes):
    """D says the same of every image: the logit `source`, and the class logits `classes`."""
    for name, bias in (("source", [source]), ("classes", classes)):
        head = gan.discriminator.get_layer(name)
        head.kernel.assign(tf.zeros_like(head.kernel))
        head.bias.assign(bias)


BATCH = (tf.zeros([8, 8, 8, 1]), tf.constant([0, 1, 2, 2, 2, 0, 1, 2]))


def softplus(x):
    return np.log1p(np.exp(x))


@pytest.mark.parametrize("game", ["minimax", "non_saturating"])
def test_both_losses_by_hand(game):
    gan = ACGAN.from_preset("smoke", num_classes=3, loss=game)
    with_constant_heads(gan, 0.7, [0.3, -0.2, 1.1])
    log_p = np.array([0.3, -0.2, 1.1]) - np.log(np.sum(np.exp([0.3, -0.2, 1.1])))
    l_c = np.mean(
        log_p[BATCH[1].numpy()]
    )  # for real and for generated images alike: their labels are the same
    with gan.streams.at(0, 0), gan.streams.scope("x"):
        d_loss, d_logs = gan.discriminator_loss(BATCH)
        g_loss, g_logs = gan.generator_loss(BATCH)
    l_s = -softplus(-0.7) - softplus(0.7)
    np.testing.assert_allclose(d_loss, -(l_s + 2 * l_c), rtol=1e-5)
    np.testing.assert_allclose(d_logs["real_class_loss"], -l_c, rtol=1e-5)
    # minimax: the part of L_S that G moves is log P(S = fake | G(z)) = -softplus(logit)
    source = {"minimax": -softplus(0.7), "non_saturating": softplus(-0.7)}[game]
    np.testing.assert_allclose(g_loss, source - l_c, rtol=1e-5)
    assert (
        float(g_logs["generator_class_accuracy"]) == 0.5
    )  # class 2 is said of all, and is half of the batch


def test_gradients_of_the_heads_are_p_minus_the_target(gan):
    with_constant_heads(gan, 0.0, [0.0, 0.0, np.log(2)])
    gradients = dict(gan.gradients(BATCH)["discriminator"])
    classes = next(g for path, g in gradients.items() if path.endswith("classes/bias"))
    target = np.bincount(BATCH[1], minlength=3) / 8
    np.testing.assert_allclose(classes, 2 * (np.array([0.25, 0.25, 0.5]) - target), atol=1e-6)
    source = next(g for path, g in gradients.items() if path.endswith("source/bias"))
    np.testing.assert_allclose(source, [(0.5 - 1) + 0.5], atol=1e-6)


def test_g_is_paid_for_being_recognised():
    """Where D knows classes and not the source, G's update is that of the class term alone."""
    gan = ACGAN.from_preset("smoke", num_classes=3, dropout=0.0)
    source = gan.discriminator.get_layer("source")
    source.kernel.assign(tf.zeros_like(source.kernel))
    found = gan.gradients(BATCH)["generator"]
    with gan.streams.at(gan.step_counter, 0), gan.streams.scope("generator"), tf.GradientTape() as tape:
        fake = gan.generate(8, gan.frozen(gan.generator), BATCH[1])
        logits = gan.frozen(gan.discriminator)(fake)[1]
        chosen = tf.gather(tf.nn.log_softmax(logits), BATCH[1], batch_dims=1)
        l_c = tf.reduce_mean(chosen)
    expected = tape.gradient(l_c, [v.value for v in gan.generator.trainable_variables])
    scale = max(float(tf.reduce_max(tf.abs(g))) for g in expected)
    assert scale > 0
    for (path, gradient), l_c_gradient in zip(found, expected, strict=True):
        np.testing.assert_allclose(gradient, -l_c_gradient, atol=1e-4 * scale, err_msg=path)


def test_d_does_not_see_the_label(gan):
    assert len(gan.discriminator.inputs) == 1 and len(gan.generator.inputs) == 2
    probabilities = gan.classify(BATCH[0])
    assert probabilities.shape == (8, 3)
    np.testing.assert_allclose(tf.reduce_sum(probabilities, axis=1), 1, rtol=1e-5)


def test_parts_by_hand():
    np.testing.assert_array_equal(OneHot(3)(tf.constant([2, 0])), [[0, 0, 1], [1, 0, 0]])
    logits = tf.constant([[0.0, np.log(3)], [0.0, 0.0]])
    np.testing.assert_allclose(
        class_loss(logits, tf.constant([1, 0])), (np.log(4 / 3) + np.log(2)) / 2, rtol=1e-6
    )
    assert float(accuracy(logits, tf.constant([1, 1]))) == 0.5


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ACGAN(resolution=30), "resolution=30 is not"),
        (lambda: ACGAN(num_classes=0), "num_classes=0 is out of range"),
        (lambda: ACGAN(dropout=1.0), "dropout=1.0 is out of range"),
        (lambda: ACGAN(learning_rate=0), "learning_rate=0 is out of range"),
        (lambda: ACGAN.from_preset("smoke", loss="classify"), "there is no loss 'classify'"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(InputError, match=message):
        make()
