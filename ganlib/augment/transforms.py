"""What ADA does to images: pure functions of images and of what was drawn, NHWC, of any float type.

Each is linear in the images (plus a constant), and made of matrix products and of one gather with bilinear weights: all
of it has second derivatives and compiles under XLA. A filter along an axis is a matrix here, padding by reflection
included: at the sizes of this course one product is quicker than a convolution, and each image can have its own.
"""

import numpy as np
import tensorflow as tf

from ganlib.replicas import batch_size_of

# Daubechies' wavelets of 12 and of 4 taps, as low-pass filters: "sym6" (least asymmetric) and "sym2".
SYM6 = np.array([
    0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633,
    0.4910559419267466, 0.787641141030194, 0.3379294217276218, -0.07263752278646252,
    -0.021060292512300564, 0.04472490177066578, 0.0017677118642428036, -0.007800708325034148,
])  # fmt: skip
SYM2 = np.array([1 - 3**0.5, 3 - 3**0.5, 3 + 3**0.5, 1 + 3**0.5]) / (4 * 2**0.5)

# Of colours (r, g, b, 1) what is grey: the projection on the axis (1, 1, 1) / sqrt(3).
_GREY = np.pad(np.full((3, 3), 1 / 3), (0, 1))

_TAPS = SYM6 / SYM6.sum()
_REACH = 3  # pixels that the 12 taps, on a grid twice as fine, reach to one side


# ---------------------------------------------------------------------------------------------- geometry


def matrices(*entries: int | tf.Tensor) -> tf.Tensor:
    """Matrices (n, 3, 3) of nine entries, row after row, that are 0, 1 or (n,)."""
    one = next(tf.ones_like(entry) for entry in entries if isinstance(entry, tf.Tensor))
    fixed = {0: tf.zeros_like(one), 1: one}
    columns = [fixed[entry] if isinstance(entry, int) else entry for entry in entries]
    return tf.reshape(tf.stack(columns, axis=1), [-1, 3, 3])


def shift(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """(n,) and (n,) -> (n, 3, 3): p + (x, y), for points (x, y, 1)."""
    return matrices(1, 0, x, 0, 1, y, 0, 0, 1)


def stretch(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """(n,) and (n,) -> (n, 3, 3): p * (x, y)."""
    return matrices(x, 0, 0, 0, y, 0, 0, 0, 1)


def turn(angle: tf.Tensor) -> tf.Tensor:
    """Radians (n,) -> (n, 3, 3): p turned from the x axis to the y axis."""
    sin, cos = tf.sin(angle), tf.cos(angle)
    return matrices(cos, -sin, 0, sin, cos, 0, 0, 0, 1)


def warped(images: tf.Tensor, inverse: tf.Tensor) -> tf.Tensor:
    """Images (n, h, w, c) seen through an affine map, without aliasing: Karras et al. 2020, appendix B.2.

    Padding by reflection, a grid twice as fine by the orthogonal filter SYM6, bilinear samples there, and back by the
    transposed filter. An image is padded so far as its own map reaches (at most by its size less one, zeros beyond);
    the official code pads a batch so far as the widest of its maps reaches.

    Args:
        images: Float.
        inverse: (n, 3, 3), the point of the image for each point of the result: in pixels from the centre, x to the
            right, y down.
    """
    inverse = tf.cast(inverse, images.dtype)
    height, width = images.shape[1:3]
    before, after = padding(inverse, width, height)
    columns = doubling(width, before[:, 0], after[:, 0])
    rows = doubling(height, before[:, 1], after[:, 1])
    fine = _along_both(rows, columns, images)  # (n, x, y, c)
    x, y = (tf.constant(_fine_places(size), images.dtype) for size in (width, height))
    linear, constant = inverse[:, :2, :2, None, None], inverse[:, :2, 2, None, None]
    place = linear[:, :, 0] * x[:, None] + linear[:, :, 1] * y + constant  # (n, 2, x, y), from the centre
    middle = tf.constant([[[3 * size - 2.0]] for size in (width, height)], images.dtype)  # of the fine grid
    at = 2.0 * place + middle
    seen = bilinear(fine, at[:, 0], at[:, 1])
    halves = [tf.constant(halving(size), images.dtype) for size in (width, height)]
    return _along_both(*halves, seen)


def padding(inverse: tf.Tensor, width: int, height: int) -> tuple[tf.Tensor, tf.Tensor]:
    """How many pixels an image needs in front and behind, for its map (n, 3, 3): whole numbers, x and y (n, 2), twice.

    As many as the corners reach out, and what both filters reach, at most the size less one.
    """
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    corners = np.array([[-1, 1, 1, -1], [-1, -1, 1, 1], [1, 1, 1, 1]]) * [*centre[:, None], [1]]
    reached = tf.matmul(inverse[:, :2], tf.constant(corners, inverse.dtype))
    spare, most = (tf.constant(limit, inverse.dtype) for limit in (2 * _REACH - centre, 2 * centre))
    before, after = (tf.reduce_max(side, axis=2) + spare for side in (-reached, reached))
    return tuple(tf.math.ceil(tf.clip_by_value(pixels, 0.0, most)) for pixels in (before, after))


def doubling(size: int, before: tf.Tensor, after: tf.Tensor) -> tf.Tensor:
    """Matrices (n, 6 size - 2, size): an axis padded by reflection and doubled.

    Row i is the place of half pixel i - (2 size - 1); the grid reaches over two reflections, which is as far as padding
    goes, and its first and last row are zero.

    Args:
        size: Pixels of the axis.
        before: (n,), pixels of padding in front, whole numbers from 0 to size - 1.
        after: The same behind.
    """
    taps = tf.constant([0.0, *(2.0 * _TAPS), 0.0], before.dtype)
    half = tf.range(1 - 2 * size, 4 * size - 1)[:, None]
    pixel = tf.range(size)

    def of(source):
        """The filter's tap between each half pixel and each source pixel, zero where it does not reach."""
        return tf.gather(taps, tf.clip_by_value(half - 2 * source + len(_TAPS) // 2, 0, len(_TAPS) + 1))

    before, after = tf.cast(before, tf.int32)[:, None], tf.cast(after, tf.int32)[:, None]
    from_end = size - 1 - pixel
    left = tf.cast((pixel > 0) & (pixel <= before), taps.dtype)[:, None] * of(-pixel)
    right = tf.cast((from_end > 0) & (from_end <= after), taps.dtype)[:, None] * of(size - 1 + from_end)
    there = (half[:, 0] >= -2 * before) & (half[:, 0] < 2 * (size + after))
    return tf.cast(there, taps.dtype)[..., None] * (of(pixel) + left + right)


def halving(size: int) -> np.ndarray:
    """The matrix (size, 2 size + 10) that takes an axis at half pixels (`_fine_places`) back to pixels."""
    matrix = np.zeros((size, 2 * size + len(_TAPS) - 2))
    for pixel in range(size):
        matrix[pixel, 2 * pixel : 2 * pixel + len(_TAPS)] = _TAPS
    return matrix


def _fine_places(size: int) -> np.ndarray:
    """Where the half pixels are that `halving` needs, in pixels from the centre: (2 size + 10,)."""
    return (np.arange(2 * size + len(_TAPS) - 2) - (len(_TAPS) // 2 - 1)) / 2 - (size - 1) / 2


def bilinear(table: tf.Tensor, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """Values between those of a table (n, X, Y, c) at x, y (n, a, b) -> (n, a, b, c); beyond its border the border's.

    Linear in the table: its derivative is the transposed map, whose derivative it is again, to any order. (TensorFlow's
    own derivative of four gathers takes longer, and warns where n is not known.)
    """
    size_x, size_y, channels = table.shape[1:]
    n = batch_size_of(table)
    corner, parts = tf.range(n)[:, None, None] * (size_x * size_y), []
    for at, size, step in ((x, size_x, size_y), (y, size_y, 1)):
        at = tf.clip_by_value(at, 0.0, size - 1.0)
        whole = tf.minimum(tf.floor(at), size - 2.0)
        corner += step * tf.cast(whole, tf.int32)
        parts.append((at - whole)[..., None])
    part_x, part_y = parts
    corners = tf.stack([corner, corner + 1, corner + size_y, corner + size_y + 1])

    @tf.custom_gradient
    def looked_up(values):
        near, up, right, far = tf.unstack(tf.gather(values, corners))
        near, far = near + part_y * (up - near), right + part_y * (far - right)
        return near + part_x * (far - near), spread

    @tf.custom_gradient
    def spread(seen):
        near, far = (1.0 - part_x) * seen, part_x * seen
        shares = tf.stack([(1.0 - part_y) * near, part_y * near, (1.0 - part_y) * far, part_y * far])
        return tf.math.unsorted_segment_sum(shares, corners, n * size_x * size_y), looked_up

    return looked_up(tf.reshape(table, [n * size_x * size_y, channels]))


def _along_both(first: tf.Tensor, second: tf.Tensor, images: tf.Tensor) -> tf.Tensor:
    """Images (n, a, b, c) with matrices applied along a, then b: (n, B, A, c), the axes exchanged.

    Exchanged, because then the largest array is made by one product in the layout in which it is read.
    """
    a, b, c = images.shape[1:]
    n, outputs = batch_size_of(images), first.shape[-2]
    half_way = tf.reshape(tf.matmul(first, tf.reshape(images, [n, a, b * c])), [n, outputs, b, c])
    half_way = tf.reshape(tf.transpose(half_way, [0, 2, 1, 3]), [n, b, outputs * c])
    return tf.reshape(tf.matmul(second, half_way), [n, second.shape[-2], outputs, c])


# ------------------------------------------------------------------------------------------------- colour


def brighten(amount: tf.Tensor) -> tf.Tensor:
    """(n,) -> (n, 4, 4): the amount is added to each channel of colours (r, g, b, 1)."""
    return _weighted(tf.ones_like(amount), np.eye(4)) + _weighted(
        amount, np.outer([1, 1, 1, 0], [0, 0, 0, 1])
    )


def spread(factor: tf.Tensor) -> tf.Tensor:
    """(n,) -> (n, 4, 4): each channel times the factor."""
    return _weighted(factor, np.diag([1, 1, 1, 0])) + _weighted(tf.ones_like(factor), np.diag([0, 0, 0, 1]))


def flip_luma(flipped: tf.Tensor) -> tf.Tensor:
    """(n,), each 0 or 1 -> (n, 4, 4): mirrored at the plane of no luma, where 1 (a Householder reflection)."""
    return _weighted(tf.ones_like(flipped), np.eye(4)) - _weighted(2.0 * flipped, _GREY)


def turn_hue(angle: tf.Tensor) -> tf.Tensor:
    """Radians (n,) -> (n, 4, 4): turned around the axis of grey (Rodrigues' formula)."""
    across = np.array([[0, -1, 1, 0], [1, 0, -1, 0], [-1, 1, 0, 0], [0, 0, 0, 0]]) / 3**0.5
    cos, sin = tf.cos(angle), tf.sin(angle)
    return _weighted(cos, np.eye(4) - _GREY) + _weighted(sin, across) + _weighted(tf.ones_like(cos), _GREY)


def saturate(factor: tf.Tensor) -> tf.Tensor:
    """(n,) -> (n, 4, 4): what a colour differs from grey by, times the factor."""
    return _weighted(tf.ones_like(factor), _GREY) + _weighted(factor, np.eye(4) - _GREY)


def _weighted(weight: tf.Tensor, matrix: np.ndarray) -> tf.Tensor:
    return weight[:, None, None] * tf.constant(matrix, weight.dtype)


def recoloured(images: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
    """Images (n, h, w, 3) or (n, h, w, 1) with an affine map (n, 4, 4) of their colours; of grey the channels' mean."""
    height, width, channels = images.shape[1:]
    matrix = tf.cast(matrix, images.dtype)[:, :3]
    linear, constant = matrix[:, :, :3], matrix[:, None, :, 3]
    if channels == 1:
        linear = tf.reduce_mean(tf.reduce_sum(linear, axis=2, keepdims=True), axis=1, keepdims=True)
        constant = tf.reduce_mean(constant, axis=2, keepdims=True)
    colours = tf.reshape(images, [batch_size_of(images), height * width, channels])
    colours = tf.matmul(colours, linear, transpose_b=True) + constant
    return tf.reshape(colours, [batch_size_of(images), height, width, channels])


# ------------------------------------------------------------------------------------ filter, corruptions


def filter_bank() -> np.ndarray:
    """Four band-pass filters (4, 43), from the lowest octave to the highest, that sum to the identity: appendix B.2.

    Each of three times what was all frequencies becomes the lower half of a grid twice as fine, by a low-pass filter
    H(z) H(1/z) / 2 of SYM2, and its high-pass counterpart is a new band.
    """
    alternating = SYM2 * [1, -1, 1, -1]
    low, high = (np.convolve(taps, taps[::-1]) / 2 for taps in (SYM2, alternating))
    bands = [np.ones(1)]
    for _ in range(3):
        finer = [np.kron(band, [1, 0])[:-1] for band in bands]
        bands = [*(np.convolve(band, low) for band in finer), high]
    length = len(bands[0])
    return np.stack([np.pad(band, (length - len(band)) // 2) for band in bands])


def filtered(images: tf.Tensor, gains: tf.Tensor) -> tf.Tensor:
    """Images (n, h, w, c) with the bands of `filter_bank` times `gains` (n, 4), along both axes, padded by reflection.

    The official code cannot pad images below 22 pixels; here they are reflected more than once.
    """
    gains = tf.cast(gains, images.dtype)
    rows, columns = (
        tf.einsum("nb,bij->nij", gains, tf.constant(_bands_along(size), images.dtype))
        for size in images.shape[1:3]
    )
    return tf.transpose(_along_both(rows, columns, images), [0, 2, 1, 3])


def _bands_along(size: int) -> np.ndarray:
    """The bank as matrices (4, size, size) along an axis, padding included."""
    bank = filter_bank()
    reach = bank.shape[1] // 2
    padded = np.pad(np.eye(size), ((reach, reach), (0, 0)), mode="reflect")
    shifted = np.stack([padded[tap : tap + size] for tap in range(bank.shape[1])])
    return np.einsum("bt,tij->bij", bank, shifted)


def cut_out(images: tf.Tensor, centre: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Images (n, h, w, c) with a rectangle set to 0.

    Args:
        images: Float.
        centre: (n, 2), x and y in shares of width and height.
        size: (n,), of the rectangle, in such shares; 0: none.
    """
    height, width = images.shape[1:3]
    x, y = (tf.constant((np.arange(side) + 0.5) / side, centre.dtype) for side in (width, height))
    kept_x = tf.abs(x - centre[:, :1]) >= size[:, None] / 2
    kept_y = tf.abs(y - centre[:, 1:]) >= size[:, None] / 2
    kept = kept_x[:, None, :] | kept_y[:, :, None]
    return images * tf.cast(kept, images.dtype)[..., None]
