"""BigGAN and BigGAN-deep beside SNGAN, ProjectionGAN and SAGAN: FID, precision and recall at equal time and images.

    python benchmarks/day5.py speed             (on a quiet machine: images/s of every system)
    python benchmarks/day5.py controls
    python benchmarks/day5.py train [SYSTEM/DATA ...]
    python benchmarks/day5.py table             (writes results/day5.md)

Protocol, written before the runs. Five systems, each the preset `laptop` with no other change than size, colours and
number of classes of the images, learn `faces` at 64x64 in colour with the hair as class (4) and the embedded
Fashion-MNIST at 32x32 in grey with its 10 classes (SNGAN without classes), seed 0. Each has ten minutes of two cores
alone, counted in images as in day4.py; scores are taken at a quarter, a half and all of the time, of SNGAN,
ProjectionGAN and SAGAN also where the others end. Scoring does not count.

Scores, controls and what counts as having learned: as in day4.py. Classes of the samples are drawn as often as those
of the data, so that FID tells a system that ignores them from one that does not only as far as its samples differ.
"""

from equal_time import Data, Study, main

STUDY = Study(
    name="day5",
    title="BigGAN and BigGAN-deep beside SNGAN, ProjectionGAN and SAGAN",
    ours=("biggan", "biggan-deep"),
    rivals=("sngan", "projection-gan", "sagan"),
    data={
        "faces": Data({"resolution": 64, "channels": 3}, "faces-cnn", 5_000, labels="hair", num_classes=4),
        "fashion_mnist": Data({"resolution": 32, "channels": 1}, "fashion-cnn", 2_000, num_classes=10),
    },
)

if __name__ == "__main__":
    main(STUDY, __doc__.splitlines()[0])
