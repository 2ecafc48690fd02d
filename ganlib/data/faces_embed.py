"""Pack the sprites of `faces` that ship with ganlib: `python -m ganlib.data.faces_embed FOLDER`.

FOLDER holds what `embedded/render_faces.mjs` drew (how to run it stands at its top): three opaque pictures a part, from
which follow how much of the pixel the part covers (alpha), how much of it has the chosen colour (mask), and the colour
of the rest (own), each times the coverage. The pictures are four times as fine as the sprites, and averaged.
"""

import re
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from ganlib.data.faces_sprites import HEIGHT, WIDTH
from ganlib.files import write_arrays

_FINER = 4
_RENAMED = {"side_comed": "side_combed"}  # a slip of the source's


def main(folder: str, target: Path = Path(__file__).parent / "embedded" / "faces.npz") -> None:
    """Write the planes of each part, cut to what it covers, into `target`, a compressed .npz without pickles."""
    arrays = {}
    for path in sorted(Path(folder).glob("*.alpha.png")):
        part, value, _ = path.name.split(".", 2)
        name = ".".join(_snake_case(word) for word in (part, value))
        planes = sprite(
            *(_read(path.with_name(f"{part}.{value}.{kind}.png")) for kind in ("own", "mask", "alpha"))
        )
        arrays |= {f"{name}.{kind}": plane for kind, plane in planes.items()}
    write_arrays(target, arrays, compress=True)
    print(f"{target}: {target.stat().st_size} bytes")


def sprite(own: np.ndarray, masked: np.ndarray, white: np.ndarray) -> dict[str, np.ndarray]:
    """The planes of a part, of its three pictures float (height, width, 3) in [0, 255].

    Args:
        own: before black, the chosen colour black.
        masked: before black, the chosen colour white.
        white: before white, the chosen colour black.

    Returns:
        uint8 alpha (h, w), and mask (h, w) and own (h, w, 3) where the part has any; int16 corner (2,), the row and
        column of their upper left pixel.
    """
    planes = {"alpha": 255 - (white - own).mean(axis=-1), "mask": (masked - own).mean(axis=-1), "own": own}
    planes = {kind: np.rint(plane).astype(np.uint8) for kind, plane in planes.items()}
    rows, columns = np.nonzero(planes["alpha"])
    top, left = rows.min(), columns.min()
    cut = {kind: plane[top : rows.max() + 1, left : columns.max() + 1] for kind, plane in planes.items()}
    return {kind: plane for kind, plane in cut.items() if plane.any()} | {
        "corner": np.array([top, left], np.int16)
    }


def _read(path: Path) -> np.ndarray:
    image = Image.open(path).convert("RGB")
    if image.size != (_FINER * WIDTH, _FINER * HEIGHT):
        sys.exit(
            f"{path} has {image.size} pixels instead of {(_FINER * WIDTH, _FINER * HEIGHT)}: draw it again"
        )
    pixels = np.asarray(image, np.float32).reshape(HEIGHT, _FINER, WIDTH, _FINER, 3)
    return pixels.mean(axis=(1, 3))


def _snake_case(word: str) -> str:
    word = re.sub(r"(?=[A-Z])", "_", word).lower()
    return _RENAMED.get(word, word)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(f"usage: python -m ganlib.data.faces_embed FOLDER\n\n{__doc__}")
    main(sys.argv[1])
