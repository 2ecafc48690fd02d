"""Image files in a folder; sub-folders are classes. Every file is opened before training starts."""

import os
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from ganlib.data.resize import square
from ganlib.data.sources import LARGEST, SMALLEST, ArraySource, Request, array_source, check_memory
from ganlib.errors import DataError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".ppm", ".pgm", ".tif", ".tiff")

# not all that Pillow opens: of an EPS it would run Ghostscript, whatever the file is called
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "PPM", "TIFF")

MOST_ENTRIES = 3_000_000  # in a folder, with all below: ImageNet has 1.3 million
_LARGEST_FILE = 2**29  # bytes
_A_PIXEL = 16  # bytes: twice what 16 bits in four channels take
_BESIDE = 2**20  # bytes: headers, profiles, short comments


def source(path: str | os.PathLike, request: Request) -> ArraySource:
    """All image files under `path`, in the order of their names.

    Images directly in the folder have no labels. If there are none there, the sub-folders are the classes, in
    the order of their names, whatever their depth. A folder that holds just the sub-folders `train` and
    `test` has these splits; any other is all "train". Images are turned as their EXIF tag says, laid over
    black where transparent, cropped to the centred square and resampled. Animations give their first frame.
    Other files and hidden ones are ignored.

    Args:
        path: the folder.
        request: what every source understands. Without `resolution` all images must have one size; without
            `channels` they become grey if all of them are, else RGB.

    Raises:
        DataError: no folder, no images, images both beside and inside sub-folders, different sizes and no
            resolution, or files that cannot be read; all of these are listed.
    """
    root = Path(path).expanduser()
    if not root.is_dir():
        state = "is a file" if root.exists() else "does not exist"
        raise DataError(f"{str(path)!r} {state}: give folder:PATH with the path of a folder of images")
    root = _split(root, request.split)
    files, labels, class_names = _files(root)
    images = _read(files, root, request)
    return array_source(request, images, labels, class_names)


def pictures(
    path: str | os.PathLike, request: Request, smallest: int = 1, first: int | None = None
) -> np.ndarray:
    """One image file, or those of a folder as in `source`: uint8 (n, resolution, resolution, channels).

    Args:
        path: the file, or the folder.
        request: as in `source`.
        smallest: the side in pixels that an image has to have before it is resampled.
        first: how many, at most; no others are opened. None: all.

    Raises:
        DataError: as in `source`; or an image is smaller.
    """
    root = Path(path).expanduser()
    if not root.exists():
        raise DataError(f"{str(path)!r} does not exist: give an image file or a folder of images")
    files, root = (_files(root)[0], root) if root.is_dir() else ([root], root.parent)
    return _read(files[:first], root, request, smallest=smallest)


def paired_source(path: str | os.PathLike, request: Request) -> ArraySource:
    """Two images a file, side by side, as pix2pix's data sets (maps, facades) come: PATH/train, PATH/val, PATH/test.

    Examples have six channels, or two: the left image's, then the right one's. Class folders there are none.

    Args:
        path: the folder that holds those of the splits.
        request: what every source understands. Without `channels` images are RGB.

    Raises:
        DataError: no such folder, no images, or files that are not two squares side by side; all are listed.
    """
    root = _part(path, request.split, "side-by-side images in sub-folders train, val or test")
    return array_source(request, _read(_some_images(root), root, request, side_by_side=True))


def domain_source(path: str | os.PathLike, request: Request, domain: str) -> ArraySource:
    """One of two domains of unpaired images, as CycleGAN's data sets (horse2zebra) come: PATH/trainA, PATH/trainB, ...

    Args:
        path: the folder that holds trainA and trainB, and perhaps testA and testB.
        request: what every source understands.
        domain: "A" or "B".

    Raises:
        DataError: as in `source`.
    """
    root = _part(path, f"{request.split}{domain}", "images in sub-folders trainA and trainB, testA and testB")
    return array_source(request, _read(_some_images(root), root, request))


def _part(path: str | os.PathLike, name: str, layout: str) -> Path:
    """The sub-folder `name` of a data set, which has to be there."""
    root = Path(path).expanduser()
    if not (root / name).is_dir():
        raise DataError(
            f"{str(path)!r} has no sub-folder {name!r}: give folder:PATH of a folder with {layout}"
        )
    return root / name


def _some_images(root: Path) -> list[Path]:
    """The image files directly in `root`."""
    files = _images(root.iterdir())
    if not files:
        raise DataError(f"{root} holds no images: put {', '.join(SUFFIXES)} files there")
    return files


def _split(root: Path, split: str) -> Path:
    """The folder of one split."""
    entries = {entry.name for entry in root.iterdir() if not entry.name.startswith(".")}
    if entries == {"train", "test"}:
        if split not in entries:
            raise DataError(f"{root} has the splits 'train' and 'test', not {split!r}")
        return root / split
    if split != "train":
        raise DataError(
            f"{root} has no split {split!r}, only 'train': a split is made by sub-folders train and test"
        )
    return root


def _files(root: Path) -> tuple[list[Path], np.ndarray | None, tuple[str, ...] | None]:
    """The image files, their labels and the names of the classes."""
    direct = _images(root.iterdir())
    folders = sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    within = {folder.name: _images(_below(folder)) for folder in folders}
    classes = [name for name, found in within.items() if found]
    if direct and classes:
        raise DataError(
            f"{root} has images beside its sub-folders ({direct[0].name}) and in them "
            f"({classes[0]}): keep one kind; sub-folders are classes"
        )
    if direct:
        return direct, None, None
    if not classes:
        raise DataError(
            f"{root} holds no images: put {', '.join(SUFFIXES)} files there, or in sub-folders as classes"
        )
    if len(classes) < len(within):
        empty = next(name for name, found in within.items() if not found)
        raise DataError(
            f"{root} has a class without images, {empty!r}, which would change the numbers of those behind it: put "
            "images there, or remove the sub-folder"
        )
    labels = np.repeat(np.arange(len(within)), [len(found) for found in within.values()])
    return [file for found in within.values() for file in found], labels, tuple(within)


def _below(folder: Path) -> Iterator[Path]:
    """All that is in a folder, at any depth; links to folders are not followed."""
    for count, path in enumerate(folder.rglob("*")):
        if count == MOST_ENTRIES:
            raise DataError(f"{folder} holds more than {MOST_ENTRIES:,} files: give the folder of the images")
        yield path


def _images(paths: Iterable[Path]) -> list[Path]:
    """The image files among `paths`, sorted; links that lead nowhere count, and will be reported."""
    found = (path for path in paths if path.suffix.lower() in SUFFIXES and not path.is_dir())
    return sorted(path for path in found if not path.name.startswith("."))


def _read(
    files: list[Path], root: Path, request: Request, side_by_side: bool = False, smallest: int = 1
) -> np.ndarray:
    """uint8 (n, resolution, resolution, channels), twice the channels if two images lie side by side.

    One bad file fails all, after all were looked at.
    """
    resolution, channels = request.resolution, request.channels
    if resolution is not None:
        check_memory(request.name, len(files), (resolution, resolution, (channels or 3) * (1 + side_by_side)))

    def one(path: Path) -> tuple[np.ndarray | None, str | None]:
        try:
            if side_by_side:
                return _open_pair(path, resolution, channels), None
            return _open(path, resolution, channels, smallest), None
        except Exception as error:  # Pillow raises almost anything on broken files
            return None, f"{path.relative_to(root)} ({_reason(path, error)})"

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool, warnings.catch_warnings():
        # Pillow only warns of pictures so large that they may be an attack, and of damaged tags.
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        results = list(pool.map(one, files))
    broken = [problem for _, problem in results if problem is not None]
    if broken:
        raise DataError(
            f"{len(broken)} of {len(files)} image files in {root} cannot be used: {'; '.join(broken)}. "
            "Repair or remove them"
        )
    images = [image for image, _ in results]
    sides = np.array([image.shape[0] for image in images])
    if (sides != sides[0]).any():
        other = files[int(np.argmax(sides != sides[0]))]
        raise DataError(
            f"images in {root} differ in size ({files[0].relative_to(root)} gives {sides[0]}, "
            f"{other.relative_to(root)} {sides[sides != sides[0]][0]} pixels): give resolution="
        )
    if not SMALLEST <= sides[0] <= LARGEST:
        raise DataError(
            f"images in {root} are {sides[0]} pixels high: give resolution= from {SMALLEST} to {LARGEST}"
        )
    if len({image.shape[-1] for image in images}) > 1:  # some grey, some in colour
        images = [np.broadcast_to(image, (*image.shape[:2], 3)) for image in images]
    return np.stack(images)


def _open(path: Path, resolution: int | None, channels: int | None, smallest: int) -> np.ndarray:
    """One image as uint8 (side, side, 1 or 3)."""
    image = _decoded(path, resolution, channels)
    if min(image.size) < smallest:
        raise ValueError(f"{image.width}x{image.height}, smaller than {smallest}x{smallest}")
    return square(image, resolution)


def _open_pair(path: Path, resolution: int | None, channels: int | None) -> np.ndarray:
    """Two images side by side as uint8 (side, side, 2 or 6): the left one's channels first."""
    image = _decoded(path, resolution, channels or 3)
    width, height = image.size
    if width != 2 * height:
        raise ValueError(f"{width}x{height}, not two squares side by side")
    halves = [image.crop((left, 0, left + height, height)) for left in (0, height)]
    return np.concatenate([square(half, resolution) for half in halves], axis=-1)


def _decoded(path: Path, resolution: int | None, channels: int | None) -> Image.Image:
    """One image in grey or RGB; None: grey if it is grey."""
    if path.exists() and not path.is_file():  # a pipe or a device would wait for ever
        raise ValueError
    size = path.stat().st_size
    if size > _LARGEST_FILE:
        raise ValueError(f"{size / 1e6:.0f} MB, more than {_LARGEST_FILE / 1e6:.0f}")
    with Image.open(path, formats=FORMATS) as image:
        _require_bytes_of_pixels(image, size)
        if resolution is None and min(image.size) > LARGEST:  # known before anything is decoded
            raise ValueError(f"{image.width}x{image.height}: give resolution= from {SMALLEST} to {LARGEST}")
        image.load()
        if image.mode == "F" or (image.mode == "I" and image.getextrema()[1] > 65535):
            raise ValueError("its values have no known range: save it with 8 or 16 bits")
        if image.mode.startswith("I"):  # 16 bits; Pillow's own conversion would cut them off at 255
            image = Image.fromarray((np.asarray(image, np.float64) / 257 + 0.5).astype(np.uint8))
        image = ImageOps.exif_transpose(image)
        grey = image.mode in ("1", "L", "LA", "La")
        if image.has_transparency_data:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image)
        return image.convert("L" if (channels or (1 if grey else 3)) == 1 else "RGB")


def _require_bytes_of_pixels(image: Image.Image, size: int) -> None:
    """Refuse a file that is far larger than its pixels: comments and profiles are read into memory with them."""

    def allowed(frames: int) -> int:
        return _BESIDE + _A_PIXEL * frames * image.width * image.height

    # frames are counted by reading the whole file
    if size > allowed(1) and size > allowed(getattr(image, "n_frames", 1)):
        pixels = f"{image.width}x{image.height} pixels"
        raise ValueError(f"{size / 1e6:.0f} MB for {pixels}: save it without comments")


def _reason(path: Path, error: Exception) -> str:
    """Why a file cannot be used, in a few words."""
    if isinstance(error, FileNotFoundError):
        return "a link that leads nowhere"
    if isinstance(error, PermissionError):
        return "no permission to read it"
    if not path.is_file():
        return "not a regular file"
    if path.stat().st_size == 0:
        return "empty"
    if isinstance(error, Image.UnidentifiedImageError):
        return "not an image"
    return " ".join(str(error).split()) or type(error).__name__
