"""Decode a 30×30 grid of codes in one batched call, and one `predict` per point as the well-known tutorial does.

    python benchmarks/grid_decoding.py    about three minutes on two cores

The two run in turn, and the ratio is taken within each pair, so that a machine that slows down for a while slows both.
Writes benchmarks/results/grid_decoding.json. The weights do not matter for the time, so the decoder is untrained.
"""

import time
from statistics import median

from common import ROOT as ROOT
from common import write_results

import old_helpers as vh

import numpy as np

SIDE, PAIRS = 30, 3


def seconds(decode) -> tuple[float, np.ndarray]:
    """Return how long `decode` takes and what it gives."""
    started = time.perf_counter()
    images = decode()
    return time.perf_counter() - started, images


def main() -> None:
    """Measure, check that both give the same images, print the table and keep it."""
    vae = vh.build_vae()
    axis = np.linspace(-2, 2, SIDE, dtype="float32")
    z = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)  # (900, 2)

    def batched() -> np.ndarray:
        return vh.decode(vae, z)

    def one_by_one() -> np.ndarray:
        return np.concatenate([vae.decoder.predict(point[None], verbose=0) for point in z])

    batched()
    vae.decoder.predict(z[:1], verbose=0)  # both have traced their graph before the clock starts
    pairs = []
    print(f"{SIDE}×{SIDE} codes    one call    one predict per point    ratio")
    for _ in range(PAIRS):
        (fast, images), (slow, same) = seconds(batched), seconds(one_by_one)
        assert np.allclose(images, same, atol=1e-5)
        pairs.append({"batched_seconds": fast, "one_by_one_seconds": slow})
        print(f"{fast:19.3f} s {slow:22.1f} s {slow / fast:8.0f}", flush=True)
    ratios = [pair["one_by_one_seconds"] / pair["batched_seconds"] for pair in pairs]
    print(f"median ratio {median(ratios):.0f}, from {min(ratios):.0f} to {max(ratios):.0f}")
    assert median(ratios) >= 200, "one call should be at least 200 times as fast: is this machine busy?"
    write_results("grid_decoding", {"pairs": pairs})


if __name__ == "__main__":
    main()
