"""Spectral normalisation: a layer's weight W is used as W / sigma(W), sigma its largest singular value.

Miyato, Kataoka, Koyama, Yoshida 2018, arXiv:1802.05957: eq. 8, and algorithm 1 for sigma. W is viewed as a matrix
(out, rest); with a vector u of `out` numbers that is kept from step to step,

    v <- normalize(W^T u),  u <- normalize(W v),  sigma = u^T W v

W stays as the optimiser left it, and W / sigma is computed in `call`: gradients flow through W and through sigma, in
which u and v count as constants (eq. 9 to 11). In training a call takes `iterations` such steps and keeps u. In
evaluation a step is taken too and u is not kept, as in BigGAN-PyTorch (layers.py), whose numbers these are: sigma then
is that of the u one step on. v / max(|v|, epsilon) is its normalisation (Chainer's adds epsilon to the norm instead).

Under a distribution strategy all replicas hold the same W and u, so they compute the same new u; the first one's is
stored on all.

sigma(W) is the Lipschitz constant of the map for dense layers; for convolutions it is that of the matrix (out, rest),
which bounds the map's only up to a factor of the kernel size (Tsuzuku et al. 2018, arXiv:1802.04034).
"""

import keras
import tensorflow as tf

from ganlib.arguments import require_positive, require_positive_integers
from ganlib.layers.class_rows import class_rows


class SpectralNormalized(keras.layers.Layer):
    """What the layers of this file share: u, sigma, and the normalised weight. Comes before a Keras layer.

    Args:
        iterations: Power steps a training call; the paper's is 1.
        epsilon: Smallest norm, and smallest sigma, that is divided by; BigGAN's configurations have 1e-6 to 1e-8.
    """

    def __init__(self, *args, iterations: int = 1, epsilon: float = 1e-12, **kwargs):
        require_positive_integers(iterations=iterations)
        require_positive(example="1e-12", epsilon=epsilon)
        super().__init__(*args, **kwargs)
        self.iterations = iterations
        self.epsilon = epsilon

    @property
    def raw_weight(self) -> keras.Variable:
        """W, as the optimiser left it."""
        return self.kernel

    def matrix(self, weight: tf.Tensor) -> tf.Tensor:
        """W as a matrix (rest, out): the transpose of the paper's. Here: the last axis of W is `out`."""
        return tf.reshape(weight, [-1, weight.shape[-1]])

    def build(self, input_shape):
        """Make the weights of the Keras layer, and u."""
        super().build(input_shape)
        self.u = self.add_weight(
            name="u",
            shape=(self.matrix(tf.zeros(self.raw_weight.shape)).shape[1],),
            initializer=keras.initializers.RandomNormal(stddev=1.0),  # normal, as in the authors' code
            trainable=False,
            autocast=False,
            aggregation="only_first_replica",
        )

    @property
    def sigma(self) -> tf.Tensor:
        """The largest singular value of W as an evaluation divides by it: a scalar."""
        return self._estimate(tf.convert_to_tensor(self.raw_weight), 1)[0]

    def normalized_weight(self, training: bool = False) -> tf.Tensor:
        """W / sigma(W), in the shape of W; u moves on if `training`."""
        weight = tf.convert_to_tensor(self.raw_weight)
        sigma, u = self._estimate(weight, self.iterations if training else 1)
        if training:
            self.u.assign(u)
        return tf.cast(tf.cast(weight, sigma.dtype) / tf.maximum(sigma, self.epsilon), weight.dtype)

    def _estimate(self, weight: tf.Tensor, iterations: int) -> tuple[tf.Tensor, tf.Tensor]:
        u = tf.convert_to_tensor(self.u)
        matrix = self.matrix(tf.cast(weight, u.dtype))
        constant = tf.stop_gradient(matrix)
        for _ in range(iterations):
            v = self._unit(tf.linalg.matvec(constant, u))
            u = self._unit(tf.linalg.matvec(constant, v, transpose_a=True))
        return tf.tensordot(v, tf.linalg.matvec(matrix, u), 1), u

    def _unit(self, vector: tf.Tensor) -> tf.Tensor:
        return vector / tf.maximum(tf.norm(vector), self.epsilon)

    def save_own_variables(self, store):
        """All variables; the Keras layers' own methods would leave u out."""
        keras.layers.Layer.save_own_variables(self, store)

    def load_own_variables(self, store):
        """What `save_own_variables` wrote."""
        keras.layers.Layer.load_own_variables(self, store)

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "iterations": self.iterations, "epsilon": self.epsilon}


@keras.saving.register_keras_serializable("ganlib")
class SpectralDense(SpectralNormalized, keras.layers.Dense):
    """Dense with W / sigma(W); W is the kernel (in, out) transposed, so u has `units` entries.

    (batch, ..., in) -> (batch, ..., units). Takes Keras' arguments, `iterations` and `epsilon`.
    """

    def call(self, inputs, training=None):
        """(batch, ..., in) -> (batch, ..., units)."""
        outputs = keras.ops.matmul(inputs, self.normalized_weight(training))
        outputs = outputs if self.bias is None else outputs + self.bias
        return self.activation(outputs)


@keras.saving.register_keras_serializable("ganlib")
class SpectralConv2D(SpectralNormalized, keras.layers.Conv2D):
    """Conv2D with W / sigma(W); W is the kernel (height, width, in, out) as (out, in * height * width).

    (batch, height, width, in) -> (batch, height', width', filters). Takes Keras' arguments (channels last),
    `iterations` and `epsilon`.
    """

    def call(self, inputs, training=None):
        """(batch, height, width, in) -> (batch, height', width', filters)."""
        outputs = self.convolution_op(inputs, self.normalized_weight(training))
        outputs = outputs + self.bias if self.use_bias else outputs
        return self.activation(outputs)


@keras.saving.register_keras_serializable("ganlib")
class SpectralConv2DTranspose(SpectralNormalized, keras.layers.Conv2DTranspose):
    """Conv2DTranspose with W / sigma(W); W is the kernel (height, width, out, in) as (out, in * height * width).

    Output channels first, as for a convolution: a row of W then is what makes one output channel, and a layer has the
    same sigma whichever way round it is written. PyTorch's `spectral_norm` takes this axis too (dim=1 of its kernel
    (in, out, height, width)); the axis of the inputs would give another sigma.

    (batch, height, width, in) -> (batch, height', width', filters). Takes Keras' arguments (channels last),
    `iterations` and `epsilon`.
    """

    def matrix(self, weight):
        """The kernel (height, width, out, in) as (height * width * in, out)."""
        return super().matrix(tf.transpose(weight, [0, 1, 3, 2]))

    def call(self, inputs, training=None):
        """(batch, height, width, in) -> (batch, height', width', filters)."""
        outputs = keras.ops.conv_transpose(
            inputs,
            self.normalized_weight(training),
            strides=list(self.strides),
            padding=self.padding,
            output_padding=self.output_padding,
            dilation_rate=self.dilation_rate,
            data_format=self.data_format,
        )
        outputs = outputs + self.bias if self.use_bias else outputs
        return self.activation(outputs)


@keras.saving.register_keras_serializable("ganlib")
class SpectralEmbedding(SpectralNormalized, keras.layers.Embedding):
    """Embedding with W / sigma(W); W is the table (input_dim, output_dim) as it is, so u has `input_dim` entries.

    That is BigGAN-PyTorch's reading (a row for each class). Integers (batch, ...) -> (batch, ..., output_dim); weights
    of classes, float (batch, input_dim), -> their mixture (batch, output_dim). Takes Keras' arguments, `iterations`
    and `epsilon`.
    """

    mixes_classes = True

    @property
    def raw_weight(self):
        """The table of vectors, as the optimiser left it."""
        return self.embeddings

    def matrix(self, weight):
        """The table transposed: (output_dim, input_dim)."""
        return tf.transpose(weight)

    def call(self, inputs, training=None):
        """Integers (batch, ...) -> (batch, ..., output_dim)."""
        return tf.cast(class_rows(self.normalized_weight(training), inputs), self.compute_dtype)

    def compute_output_spec(self, inputs, training=None):
        """(batch, ...) -> (batch, ..., output_dim)."""
        if keras.backend.is_float_dtype(inputs.dtype) and len(inputs.shape) == 2:
            return keras.KerasTensor((inputs.shape[0], self.output_dim), self.compute_dtype)
        return super().compute_output_spec(inputs)
