"""Stand-ins for DeepMind's modules of BigGAN on TF-Hub, in TF1's format, small and with random weights.

Written after the graphs that huggingface/pytorch-pretrained-BigGAN (BigGAN-deep) and TFHub/biggan.py of
ajbrock/BigGAN-PyTorch (BigGAN) describe, in TF1, by plain operations: names, layouts, the order of z and class, 1e-4 in
batch norms, statistics as constants, a row for each of some truncations, a last convolution with more channels than an
image.
"""

from pathlib import Path

import numpy as np
import tensorflow as tf

v1 = tf.compat.v1
STATISTICS = 6  # the modules have 51
STAGES = 2  # from 4x4 to 16x16
CLASSES, VECTOR = 5, 4


class Maker:
    """Makes the variables of a graph, all random."""

    def __init__(self, resource: bool, averages: str):
        self.resource = resource
        self.averages = averages
        self.random = np.random.default_rng(0)

    def variable(self, name, shape, mean=0.0, deviation=0.5, average=True):
        """The average, beside which stands a variable with other values, as in the modules."""
        for ending in ("", self.averages) if average else ("",):
            value = self.random.normal(mean, deviation, shape).astype(np.float32)
            variable = v1.Variable(value, name=name + ending, use_resource=self.resource)
        return variable.read_value() if self.resource else tf.identity(variable)

    def normalized(self, name, shape, bias=True):
        """W / sigma(W) and the bias."""
        w = self.variable(f"{name}/w", shape)
        u = self.variable(f"{name}/u0", [1, shape[-1]], average=False)
        rows = tf.reshape(w, [-1, shape[-1]])
        v = tf.linalg.l2_normalize(tf.matmul(u, rows, transpose_b=True))
        u = tf.linalg.l2_normalize(tf.matmul(v, rows))
        sigma = tf.reduce_sum(tf.matmul(v, rows) * u)
        return w / sigma, self.variable(f"{name}/b", [shape[-1]]) if bias else 0.0

    def convolution(self, x, name, channels, size, bias=True):
        w, b = self.normalized(name, [size, size, x.shape[-1], channels], bias)
        return tf.nn.conv2d(x, w, 1, "SAME") + b

    def linear(self, x, name, units, bias=True):
        w, b = self.normalized(name, [x.shape[-1], units], bias)
        return tf.matmul(x, w) + b

    def attention(self, x):
        n, (height, width, channels) = tf.shape(x)[0], x.shape[1:]
        parts = {
            name: self.convolution(x, f"Generator/attention/{name}", size, 1, bias=False)
            for name, size in (("theta", channels // 8), ("phi", channels // 8), ("g", channels // 2))
        }
        rows = {
            name: tf.reshape(
                part if name == "theta" else tf.nn.max_pool2d(part, 2, 2, "VALID"), [n, -1, part.shape[-1]]
            )
            for name, part in parts.items()
        }
        looked = tf.nn.softmax(tf.matmul(rows["theta"], rows["phi"], transpose_b=True))
        seen = tf.reshape(tf.matmul(looked, rows["g"]), [n, height, width, channels // 2])
        gamma = self.variable("Generator/attention/gamma", [], deviation=1.0)
        return x + gamma * self.convolution(seen, "Generator/attention/o_conv", channels, 1, bias=False)

    def table(self, channels, truncation, mean, deviation):
        """A row of a table of constants, between two of them; five operations are called stack for each batch norm."""
        rows = self.random.normal(mean, deviation, [STATISTICS, channels])
        rows = np.maximum(rows, 0.1) if mean else rows
        stacked = tf.stack([tf.constant(row, tf.float32) for row in rows], name="stack")
        at = truncation * (STATISTICS - 1)
        low = tf.minimum(tf.cast(tf.floor(at), tf.int32), STATISTICS - 2)
        share = at - tf.cast(low, tf.float32)
        return (1.0 - share) * stacked[low] + share * stacked[low + 1]

    def statistics_of_deep(self, channels, truncation):
        def filler():
            return tf.stack([truncation, truncation], name="stack")

        filler()
        mean = self.table(channels, truncation, 0.0, 0.3)
        filler()
        variance = self.table(channels, truncation, 1.0, 0.3)
        filler()
        return mean, variance


def doubled(x):
    return tf.repeat(tf.repeat(x, 2, axis=1), 2, axis=2)


def normalize(x, mean, variance, scale, offset):
    return (x - mean) / tf.sqrt(variance + 1e-4) * scale + offset


def deep(maker, z, y, truncation, ch, attention):
    """BigGAN-deep at 16x16: all stages have 4 ch channels."""
    vector = tf.matmul(y, maker.variable("linear/w", [CLASSES, VECTOR]))
    condition = tf.concat([z, vector], 1)
    width = 4 * ch
    x = tf.reshape(maker.linear(condition, "Generator/GenZ/G_linear", 16 * width), [-1, 4, 4, width])
    for i in range(2 * STAGES):
        block, up = f"Generator/GBlock_{i}" if i else "Generator/GBlock", i % 2
        h = x
        for j, (channels, size) in enumerate(((width // 4, 1), (width // 4, 3), (width // 4, 3), (width, 1))):
            norm = f"{block}/BatchNorm_{j}" if j else f"{block}/BatchNorm"
            scale = 1.0 + maker.linear(condition, f"{norm}/scale", h.shape[-1], bias=False)[:, None, None]
            offset = maker.linear(condition, f"{norm}/offset", h.shape[-1], bias=False)[:, None, None]
            statistics = maker.statistics_of_deep(h.shape[-1], truncation)
            h = tf.nn.relu(normalize(h, *statistics, scale, offset))
            h = doubled(h) if up and j == 1 else h
            h = maker.convolution(h, f"{block}/conv{j}", channels, size)
        x = h + (doubled(x) if up else x)
        x = maker.attention(x) if up and x.shape[1] == attention else x
    names = [maker.variable(f"Generator/BatchNorm/{part}", [width], 1.0) for part in ("scale", "offset")]
    x = tf.nn.relu(normalize(x, *maker.statistics_of_deep(width, truncation), *names))
    return tf.tanh(maker.convolution(x, "Generator/conv_to_rgb", width, 3)[..., :3])


def plain(maker, z, y, truncation, ch, attention):
    """BigGAN at 16x16, with the statistics of one truncation."""
    vector = tf.matmul(y, maker.variable("linear/w", [CLASSES, VECTOR]))
    first, *rest = tf.split(z, STAGES + 1, axis=1)
    width = 4 * ch
    x = tf.reshape(maker.linear(first, "Generator/G_Z/G_linear", 16 * width), [-1, 4, 4, width])

    def statistics(place):
        mean = maker.variable(f"{place}/accumulated_mean", [width], deviation=0.3, average=False)
        spread = maker.variable(f"{place}/accumulated_var", [width], 1.0, 0.1, average=False)
        return mean, spread

    for i, part in enumerate(rest):
        block = f"Generator/GBlock_{i}" if i else "Generator/GBlock"
        condition, h = tf.concat([part, vector], 1), x
        for j in range(2):
            norm = f"{block}/HyperBN_{j}" if j else f"{block}/HyperBN"
            scale = 1.0 + maker.linear(condition, f"{norm}/gamma", width, bias=False)[:, None, None]
            offset = maker.linear(condition, f"{norm}/beta", width, bias=False)[:, None, None]
            found = statistics(norm.replace("HyperBN", "CrossReplicaBN"))
            h = tf.nn.relu(normalize(h, *found, scale, offset))
            h = maker.convolution(h if j else doubled(h), f"{block}/conv{j}", width, 3)
        x = h + maker.convolution(doubled(x), f"{block}/conv_sc", width, 1)
        x = maker.attention(x) if x.shape[1] == attention else x
    names = [
        maker.variable(f"Generator/ScaledCrossReplicaBN/{part}", [1, 1, 1, width], 1.0)
        for part in ("gamma", "beta")
    ]
    x = tf.nn.relu(normalize(x, *statistics("Generator/ScaledCrossReplicaBNbn"), *names))
    # what a module may do with truncation where this one's statistics are fixed: nothing
    return tf.tanh(maker.convolution(x, "Generator/conv_2d", 3, 3)) + 0.0 * truncation


KINDS = {"biggan": (plain, 12, "/ema_b999900"), "biggan-deep": (deep, 6, "/ema_0.9999")}


def write(folder: Path, kind: str, resource: bool = False, ch: int = 2, attention: int = 8) -> Path:
    """A module in TF1's hub format: no tags, signature "default"."""
    network, latent_dim, averages = KINDS[kind]
    with tf.Graph().as_default(), v1.Session() as session:
        z = v1.placeholder(tf.float32, [None, latent_dim], "z")
        y = v1.placeholder(tf.float32, [None, CLASSES], "y")
        truncation = v1.placeholder(tf.float32, [], "truncation")
        images = network(Maker(resource, averages), z, y, truncation, ch, attention)
        session.run(v1.global_variables_initializer())
        signature = v1.saved_model.build_signature_def(
            {name: v1.saved_model.build_tensor_info(x) for name, x in (("z", z), ("y", y), ("truncation", truncation))},
            {"default": v1.saved_model.build_tensor_info(images)},
            "default",
        )  # fmt: skip
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(session, [], signature_def_map={"default": signature})
        builder.save()
    (folder / "tfhub_module.pb").write_bytes(b"\x08\x03")
    return folder
