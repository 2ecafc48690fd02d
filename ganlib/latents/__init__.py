"""Walks, arithmetic and truncation in latent space, and how smoothly images follow.

Pure functions of arrays and callables, in NumPy: no model is known here. A latent is a row of (..., latent_dim).

    z = gan.sample_latents(4, seed=0)
    images = gan.generator.predict(latents.walk(z, steps=10))
    latents.smoothness(images, training_images)

Conditional models: from class 3 to class 8 at fixed z, and a walk at fixed class.

    images = gan.images_of(latents.every_pair(z, latents.class_walk([3, 8], steps=10, num_classes=10)))
    images = gan.images_of(latents.every_pair(latents.walk(z, steps=10), [3]))
"""

from ganlib.latents.directions import Directions, along, ganspace, sefa
from ganlib.latents.projection import Projection, project
from ganlib.latents.smoothness import (
    Smoothness,
    filtered_mean,
    path_length,
    perceptual_path_length,
    smoothness,
    step_lengths,
)
from ganlib.latents.styles import STYLE_RANGES, mixed, mixing_grid, pulled, style_ranges
from ganlib.latents.truncation import shrink, truncate, truncated_deviation
from ganlib.latents.walks import (
    arithmetic,
    class_walk,
    every_pair,
    lerp,
    mean_latent,
    on_shell,
    slerp,
    walk,
)
