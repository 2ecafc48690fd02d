"""What tells of trouble while a GAN trains: gradient norms, singular values of the weights, diversity of samples.

Keras callbacks for `GAN.fit` that only look: training is bit for bit the same with and without them. Each measures at
step 0, at every multiple of `every` and at the end, keeps the values in `history` (and in a csv file, which a resumed
run continues), and notes an `Alarm` where one is out of range; the first is also a Python warning.

    watch = [GradientNorms(batch, folder), Spectra(folder), CollapseAlarm(images, folder)]
    gan.fit(data.batch(gan.batch_size), steps_per_epoch=1000, callbacks=watch)
    ganlib.plots.spectra(watch[1])

Each is a file of `ganlib.callbacks`.
"""

from ganlib.callbacks.diversity import CollapseAlarm, pairwise
from ganlib.callbacks.gradient_norms import GradientNorms
from ganlib.callbacks.monitor import Alarm, Monitor
from ganlib.callbacks.spectra import Spectra, as_matrix, singular_values, weight_matrices
