"""Growing and styles beside DCGAN and SNGAN: FID, precision and recall at equal time and at equal images.

    python benchmarks/day4.py speed             (on a quiet machine: images/s of every system in every phase)
    python benchmarks/day4.py controls
    python benchmarks/day4.py train [SYSTEM/DATA ...]
    python benchmarks/day4.py table             (writes results/day4.md)

Protocol, written before the runs. Six systems, each the preset `laptop` with no other change than size and colours of
the images, learn `faces` at 64x64 in colour and the embedded Fashion-MNIST at 32x32 in grey, seed 0. Two more changes,
both on faces: DCGAN learns at a rate of 1e-3, since at its preset's 2e-4, which is for 32x32, D wins and G stays grey
(tried with 40,000 images), and StyleGAN2's gamma is 5 (1, 5 and 20 were tried with its ten minutes; width and batch
with 20,000 to 40,000 images). PGGAN's preset was chosen on faces, with 2,000 samples and at most 17 CPU minutes a
trial (results/day4_trials.json): in phases of 4,000 images, rates of 2e-3, 4e-3 and 8e-3, beside the former preset's
8,000 and 2e-3, whose ten minutes had stood still. What others were tried with was no gain, and they were left as they
are: StyleGAN at half its width and batch 8 (FID 688 after 40,000 images, with an average of G that was too long: see
its preset), SNGAN at half its width, a rate of 5e-4 and batch 32 (596 after 60,000). Each has ten minutes of two cores
alone. The machine is shared, so time is counted in images: `speed` measures, for every phase of every system, seconds
until the first step is done (tracing) and the mean of the steps after it; ten minutes are the images that these give.
Scores are taken at a quarter, a half and all of the time; DCGAN and SNGAN also where the others end (equal images), if
that is before their own end. Scoring does not count.

Augmentation: StyleGAN2 and DCGAN on the first 500 faces (64x64), without, with DiffAugment (colour, translation,
cutout) and with ADA (target 0.6), seed 0, each the same number of images: that of the system's ten minutes without.

Scores: FID, precision and recall (k = 3) of 5,000 samples of the average against 5,000 faces that were not trained on
(2,000 of Fashion-MNIST: there are no more), by the features of faces-cnn and fashion-cnn. Controls: other real images,
which say what a perfect system would get, and real images with Gaussian noise of 0.2, which must be worse than those.
A system has learned if its FID at the end is below a half of what it has after 1% of its time.
"""

from equal_time import Data, Study, main

STUDY = Study(
    name="day4",
    title="Growing and styles beside DCGAN and SNGAN",
    ours=("lapgan", "pggan", "stylegan", "stylegan2"),
    rivals=("dcgan", "sngan"),
    data={
        "faces": Data({"resolution": 64, "channels": 3}, "faces-cnn", 5_000),
        "fashion_mnist": Data({"resolution": 32, "channels": 1}, "fashion-cnn", 2_000),
    },
    few={"stylegan2": ("none", "diffaugment", "ada"), "dcgan": ("none", "diffaugment", "ada")},
    growing=("pggan", "stylegan"),
    settings={"dcgan/faces": {"learning_rate": 1e-3}, "stylegan2/faces": {"gamma": 5.0}},
)

if __name__ == "__main__":
    main(STUDY, __doc__.splitlines()[0])
