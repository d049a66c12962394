"""Measure how many images per second one and the same network trains on: our `fit`, a bare TensorFlow loop, PyTorch.

    python benchmarks/throughput.py    about five minutes on two cores

All run in turn, five times over, 10,000 images each, after a round that is not counted; the ratios are taken within a
round. PyTorch takes part where it is installed (`pip install torch` in an environment of its own will do). The
machine's limit is a large float32 matrix product in the same round; the network's share of it counts multiply-adds of
the forward pass three times, for the backward pass needs about twice as many again. Parts of the bare loop say where
the rest goes.
"""

from collections.abc import Callable
from importlib.util import find_spec
from timeit import timeit

from common import seconds_of_epochs, write_results

import vae_helpers as vh

import keras
import numpy as np
import tensorflow as tf

ROUNDS, IMAGES, BATCH = 5, 10_000, vh.BATCH_SIZE


def multiply_adds(model: keras.Model) -> int:
    """Return the multiply-adds of one image's forward pass: each kernel counts at every place where it lies."""
    total = 0
    for layer in model.layers:
        if hasattr(layer, "kernel"):
            places = layer.input if isinstance(layer, keras.layers.Conv2DTranspose) else layer.output
            total += int(np.prod(layer.kernel.shape) * np.prod(places.shape[1:-1]))
    return total


def bare_loop(x: np.ndarray) -> dict[str, Callable[[], float]]:
    """Return what gives the seconds of one epoch: a traced step on gathered batches and nothing else, and its parts."""
    vae = vh.build_vae()
    optimizer = keras.optimizers.Adam(vh.LEARNING_RATE)
    optimizer.build(vae.trainable_variables)

    def loss(batch):
        vae(batch)
        return vae.losses[0]

    def gradients(batch):
        with tf.GradientTape() as tape:
            value = loss(batch)
        return tape.gradient(value, vae.trainable_variables)

    @tf.function(jit_compile=False)
    def step(batch):
        optimizer.apply(gradients(batch), vae.trainable_variables)

    def epoch(work, size=BATCH, gather=False):
        one = tf.constant(x[:size])
        batches = np.random.default_rng(0).permutation(len(x) // size * size).reshape(-1, size)

        def run():
            for batch in batches:
                work(tf.constant(x[batch]) if gather else one)

        # As if the epoch had no short last batch, whatever the size.
        return lambda: timeit(run, lambda: work(one), number=1) * len(x) / batches.size

    return {
        "bare TensorFlow loop": epoch(step, gather=True),
        "gathering batches": epoch(lambda batch: None, gather=True),
        "forward": epoch(tf.function(loss, jit_compile=False)),
        "forward and backward": epoch(tf.function(gradients, jit_compile=False)),
        "forward, backward and Adam": epoch(step),
        "the same, batches of 1,024": epoch(step, size=1024),
    }


def pytorch(x: np.ndarray) -> Callable[[], float]:
    """Return the same for the same layers in PyTorch, channels first as it prefers."""
    import torch
    from torch import nn

    encoder = nn.Sequential(
        *(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(1, 16, 3, 2), nn.ELU()),
        *(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(16, 32, 3, 2), nn.ELU()),
        *(nn.Flatten(), nn.Linear(1568, 128), nn.ELU(), nn.Linear(128, 4)),
    )
    sizes = ((2, 128), (128, 128), (128, 128), (128, 784))
    decoder = nn.Sequential(
        *(part for size in sizes for part in (nn.Linear(*size), nn.ELU())),
        *(nn.Unflatten(1, (16, 7, 7)), nn.ConvTranspose2d(16, 16, 4, 2, 1), nn.ELU()),
        *(nn.ConvTranspose2d(16, 1, 4, 2, 1), nn.Sigmoid()),
    )
    images = torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2)))
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], vh.LEARNING_RATE)

    def run() -> None:
        for batch in images[torch.randperm(len(images))].split(BATCH):
            optimizer.zero_grad()
            mu, logvar = encoder(batch).chunk(2, dim=1)
            logvar = logvar.clamp(vh.LOGVAR_MIN, vh.LOGVAR_MAX)
            x_hat = decoder(mu + torch.exp(0.5 * logvar) * torch.randn_like(mu))
            recon = nn.functional.binary_cross_entropy(x_hat, batch, reduction="sum")
            ((recon + 0.5 * (mu**2 + logvar.exp() - logvar - 1).sum()) / len(batch)).backward()
            optimizer.step()

    return lambda: timeit(run, number=1)


def limit() -> float:
    """Return the multiply-adds per second of a large float32 matrix product."""
    a = tf.random.stateless_normal((2048, 2048), seed=(0, 1))
    return 10 * 2048**3 / timeit(lambda: float(tf.linalg.matmul(a, a)[0, 0]), number=10)


if __name__ == "__main__":
    (x, _), _ = vh.load_fashion_mnist()
    vae, parts = vh.build_vae(), bare_loop(x)
    work = 3 * (multiply_adds(vae.encoder) + multiply_adds(vae.decoder)) * IMAGES
    runs = {"our fit": lambda: seconds_of_epochs(1, x), "bare TensorFlow loop": parts.pop("bare TensorFlow loop")}
    if find_spec("torch"):
        runs["PyTorch"] = pytorch(x)
    else:
        print("PyTorch is not installed here and is left out.")
    runs["limit"] = limit
    rounds = [{name: run() for name, run in runs.items()} for _ in range(1 + ROUNDS)][1:]
    profile = [{name: run() for name, run in parts.items()} for _ in range(ROUNDS)]
    write_results("throughput", {"images": IMAGES, "multiply_adds": work, "rounds": rounds, "profile": profile})
