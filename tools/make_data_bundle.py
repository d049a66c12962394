"""Make data/fashion_mnist_10k.npz from the four original Fashion-MNIST files.

    python tools/make_data_bundle.py /usr/share/datasets/fashion-mnist

The folder is the one that Debian's package dataset-fashion-mnist installs; any folder with the four
original .gz files will do. The bundle holds the first 10,000 training images and all 10,000 test images.
"""

import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import fashion_mnist


def write_bundle(folder: Path, target: Path) -> None:
    """Write the bundle; equal input gives an equal file, byte for byte."""
    arrays = fashion_mnist.read_original_files(folder)
    arrays = {name: a[:10_000] for name, a in arrays.items()}
    np.savez_compressed(target, **arrays)
    print(f"{target.name}: {target.stat().st_size / 1e6:.2f} MB")
    for name, array in arrays.items():
        print(f"{name:8} {array.dtype} {array.shape!s:16} sha256 {fashion_mnist.array_digest(array)}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    write_bundle(Path(sys.argv[1]), fashion_mnist.BUNDLE)
