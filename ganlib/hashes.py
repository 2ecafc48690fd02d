"""Short hashes of arrays and values: of data, weights, and what a cached result depends on."""

import hashlib
from typing import Any

import numpy as np


def hash_of(*parts: Any) -> str:
    """The first 16 digits of the SHA-256 of values and arrays."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype}{part.shape}".encode())
            digest.update(np.ascontiguousarray(part))
        else:
            digest.update(repr(part).encode() + b"\0")
    return digest.hexdigest()[:16]


def hash_of_weights(weights: list[np.ndarray]) -> str:
    """The first 12 digits of the SHA-256 of arrays."""
    return hashlib.sha256(b"".join(array.tobytes() for array in weights)).hexdigest()[:12]
