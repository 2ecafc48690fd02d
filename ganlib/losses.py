"""The adversarial games, as functions of D's logits (batch, 1).

Each game has `discriminator(real_logits, fake_logits) -> (real term, fake term)`, what D minimises in two parts for the
log, and `generator(fake_logits) -> term`, what G minimises. All are means over the batch, scalars in float32. With
s = sigmoid, log s(x) = -softplus(-x) and log(1 - s(x)) = -softplus(x), which no logit makes infinite too early.
"""

import keras
import tensorflow as tf

from ganlib.arguments import require_known, require_not_negative, require_share


class Loss:
    """A game between D and G on D's logits.

    Attributes:
        needs_real: Whether G's side looks at the real logits too, as in relativistic games: `generator` then is given
            them, as its second argument, of the images of the batch.
    """

    needs_real = False

    def discriminator(self, real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """What D minimises: the term of the real logits (batch, 1) and the term of the fake ones, scalars."""
        raise NotImplementedError(f"{type(self).__name__} does not define D's side of the game")

    def generator(self, fake_logits: tf.Tensor) -> tf.Tensor:
        """What G minimises, given D's logits (batch, 1) of its samples: a scalar."""
        raise NotImplementedError(f"{type(self).__name__} does not define G's side of the game")

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return dict(vars(self))

    @classmethod
    def from_config(cls, config: dict) -> "Loss":
        """The game with these arguments."""
        return cls(**config)


@keras.saving.register_keras_serializable("ganlib")
class NonSaturating(Loss):
    """Goodfellow et al. 2014, section 3: D as in eq. 1, G maximises log D(G(z)).

        L_D = -t log D(x) - (1 - t) log(1 - D(x))  -  u log D(G(z)) - (1 - u) log(1 - D(G(z)))
        L_G = -log D(G(z))

    with targets t = 1 - label_smoothing for real and u = fake_label_smoothing for generated images. Salimans et al.
    2016 (section 3.4) smooth the real side only: u > 0 would teach D to like what G makes where the data is absent.
    Mimicry's code adds 1e-8 inside the logarithm; softplus needs none.

    Args:
        label_smoothing: How far the real target lies below 1, in [0, 1).
        fake_label_smoothing: How far the fake target lies above 0, in [0, 1).
    """

    def __init__(self, label_smoothing: float = 0.0, fake_label_smoothing: float = 0.0):
        require_share(
            example="0.1", label_smoothing=label_smoothing, fake_label_smoothing=fake_label_smoothing
        )
        self.label_smoothing = label_smoothing
        self.fake_label_smoothing = fake_label_smoothing

    def discriminator(self, real_logits, fake_logits):
        """Cross-entropy of the targets 1 - label_smoothing and fake_label_smoothing. Eq. 1, with its sign changed."""
        return (
            _cross_entropy(1.0 - self.label_smoothing, real_logits),
            _cross_entropy(self.fake_label_smoothing, fake_logits),
        )

    def generator(self, fake_logits):
        """-E log D(G(z))."""
        return tf.reduce_mean(tf.math.softplus(-fake_logits))


@keras.saving.register_keras_serializable("ganlib")
class Minimax(NonSaturating):
    """Goodfellow et al. 2014, eq. 1: G minimises E log(1 - D(G(z))), which saturates where D is sure.

    TF-GAN's `minimax_generator_loss` adds the constant of its label smoothing; the gradient is the same.
    """

    def generator(self, fake_logits):
        """E log(1 - D(G(z)))."""
        return -tf.reduce_mean(tf.math.softplus(fake_logits))


@keras.saving.register_keras_serializable("ganlib")
class LeastSquares(Loss):
    """Mao et al. 2017, eq. 9 (arXiv:1611.04076), on raw scores: a = 0, b = c = 1.

        L_D = 1/2 E (D(x) - 1)^2 + 1/2 E D(G(z))^2          L_G = 1/2 E (D(G(z)) - 1)^2

    The factor 1/2 is the paper's (and TF-GAN's and StudioGAN's); some code bases leave it out.
    """

    def discriminator(self, real_logits, fake_logits):
        """Half the squared distance to 1 and to 0."""
        return 0.5 * tf.reduce_mean(tf.square(real_logits - 1.0)), 0.5 * tf.reduce_mean(
            tf.square(fake_logits)
        )

    def generator(self, fake_logits):
        """Half the squared distance to 1."""
        return 0.5 * tf.reduce_mean(tf.square(fake_logits - 1.0))


@keras.saving.register_keras_serializable("ganlib")
class Wasserstein(Loss):
    """Arjovsky et al. 2017, eq. 2 (arXiv:1701.07875): L_D = -E D(x) + E D(G(z)), L_G = -E D(G(z)).

    -L_D estimates the Wasserstein distance when D is 1-Lipschitz, which clipping or a penalty has to see to. Nothing
    holds the logits near 0, so Karras et al. 2018 (arXiv:1710.10196, appendix A.1) add drift * E D(x)^2 to L_D.

    Args:
        drift: Weight of that term; PGGAN's is 0.001.
    """

    def __init__(self, drift: float = 0.0):
        require_not_negative(example="0.001", drift=drift)
        self.drift = drift

    def discriminator(self, real_logits, fake_logits):
        """-E D(x) + drift * E D(x)^2, and E D(G(z))."""
        real = -tf.reduce_mean(real_logits)
        if self.drift:
            real += self.drift * tf.reduce_mean(tf.square(real_logits))
        return real, tf.reduce_mean(fake_logits)

    def generator(self, fake_logits):
        """-E D(G(z))."""
        return -tf.reduce_mean(fake_logits)


@keras.saving.register_keras_serializable("ganlib")
class Hinge(Loss):
    """Lim & Ye 2017; Miyato et al. 2018, eqs. 16 and 17 (arXiv:1802.05957).

    L_D = E max(0, 1 - D(x)) + E max(0, 1 + D(G(z))), L_G = -E D(G(z)).
    """

    def discriminator(self, real_logits, fake_logits):
        """E max(0, 1 - D(x)) and E max(0, 1 + D(G(z)))."""
        return tf.reduce_mean(tf.nn.relu(1.0 - real_logits)), tf.reduce_mean(tf.nn.relu(1.0 + fake_logits))

    def generator(self, fake_logits):
        """-E D(G(z))."""
        return -tf.reduce_mean(fake_logits)


def get(name: str | Loss) -> Loss:
    """The game called `name` ("minimax", "non_saturating", "least_squares", "wasserstein", "hinge"), or `name` itself.

    Raises:
        InputError: There is no such game.
    """
    if isinstance(name, Loss):
        return name
    games = {
        "minimax": Minimax,
        "non_saturating": NonSaturating,
        "least_squares": LeastSquares,
        "wasserstein": Wasserstein,
        "hinge": Hinge,
    }
    require_known("loss", name, games)
    return games[name]()


def _cross_entropy(target: float, logits: tf.Tensor) -> tf.Tensor:
    """-target log s(logits) - (1 - target) log(1 - s(logits)), mean over the batch."""
    return tf.reduce_mean(target * tf.math.softplus(-logits) + (1.0 - target) * tf.math.softplus(logits))
