"""Measure how many images per second one and the same network trains on: our `fit`, a bare TensorFlow loop, PyTorch.

    python benchmarks/throughput.py    about five minutes on two cores

All run in turn, five times over, 10,000 images each, after one epoch that is not counted; the ratios are taken within a
round. PyTorch takes part where it is installed (`pip install torch` in an environment of its own will do). The
machine's limit is a large float32 matrix product in the same round; the network's share of it counts multiply-adds of
the forward pass three times, for the backward pass needs about twice as many again.

A profile of the bare loop says where the rest goes: one epoch each of gathering batches only, of forward passes, of
gradients without Adam, of everything on one and the same batch, and of everything with batches of 1,024.
"""

import time
from collections.abc import Callable
from importlib.util import find_spec
from statistics import median

from common import ROOT as ROOT
from common import write_results

import vae_helpers as vh

import keras
import numpy as np
import tensorflow as tf

ROUNDS, IMAGES, BATCH = 5, 10_000, vh.BATCH_SIZE


def multiply_adds(model: keras.Model) -> int:
    """Return the multiply-adds of one image's forward pass, from the shapes of the layers."""
    total = 0
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dense):
            total += int(np.prod(layer.kernel.shape))
        elif isinstance(layer, keras.layers.Conv2DTranspose):
            total += int(np.prod(layer.kernel.shape) * np.prod(layer.input.shape[1:3]))
        elif isinstance(layer, keras.layers.Conv2D):
            total += int(np.prod(layer.kernel.shape) * np.prod(layer.output.shape[1:3]))
    return total


def ours(x: np.ndarray) -> Callable[[], float]:
    """Return what trains one epoch with the helper's `fit` and gives its seconds, the tracing left out."""

    class Clock(keras.callbacks.Callback):
        """Keep how long the last epoch took."""

        def on_epoch_begin(self, epoch, logs=None):
            self.started = time.perf_counter()

        def on_epoch_end(self, epoch, logs=None):
            self.seconds = time.perf_counter() - self.started

    def run() -> float:
        clock = Clock()
        vh.fit(vh.build_vae(), x, epochs=2, callbacks=[clock])
        return clock.seconds

    return run


def loss_on(vae: vh.VAE, batch: tf.Tensor) -> tf.Tensor:
    """Return the loss that the model adds while it computes."""
    vae(batch)
    return vae.losses[0]


def bare(x: np.ndarray) -> Callable[[], float]:
    """Return the same for a loop over batches with a traced step and nothing else."""
    vae = vh.build_vae()
    rate = keras.optimizers.schedules.CosineDecay(vh.LEARNING_RATE, 10**6)
    optimizer = keras.optimizers.Adam(rate)
    optimizer.build(vae.trainable_variables)

    @tf.function(jit_compile=False)
    def step(batch):
        with tf.GradientTape() as tape:
            loss = loss_on(vae, batch)
        optimizer.apply_gradients(
            zip(tape.gradient(loss, vae.trainable_variables), vae.trainable_variables, strict=True)
        )
        return loss

    rng = np.random.default_rng(0)

    def run() -> float:
        started = time.perf_counter()
        order = rng.permutation(len(x))
        for i in range(0, len(x), BATCH):
            step(tf.constant(x[order[i : i + BATCH]]))
        return time.perf_counter() - started

    run()
    return run


def parts(x: np.ndarray) -> dict[str, Callable[[], float]]:
    """Return parts of the bare loop, each of which gives the seconds of one epoch."""
    vae = vh.build_vae()
    optimizer = keras.optimizers.Adam(vh.LEARNING_RATE)
    optimizer.build(vae.trainable_variables)

    def gradients(batch):
        with tf.GradientTape() as tape:
            loss = loss_on(vae, batch)
        return tape.gradient(loss, vae.trainable_variables)

    @tf.function(jit_compile=False)
    def step(batch):
        optimizer.apply_gradients(zip(gradients(batch), vae.trainable_variables, strict=True))

    forward = tf.function(lambda batch: loss_on(vae, batch), jit_compile=False)
    backward = tf.function(gradients, jit_compile=False)
    order = np.random.default_rng(0).permutation(len(x))

    def epoch(work, size=BATCH, same=True):
        one = tf.constant(x[:size])

        def run() -> float:
            work(one)
            started = time.perf_counter()
            for i in range(0, len(x) - size + 1, size):
                work(one if same else tf.constant(x[order[i : i + size]]))
            # As if the epoch had no short last batch, whatever the size.
            return (time.perf_counter() - started) * len(x) / (len(x) // size * size)

        return run

    return {
        "gathering batches": epoch(lambda batch: None, same=False),
        "forward": epoch(forward),
        "forward and backward": epoch(backward),
        "forward, backward and Adam": epoch(step),
        "the same, batches of 1,024": epoch(step, size=1024),
    }


def pytorch(x: np.ndarray) -> Callable[[], float]:
    """Return the same for the same layers in PyTorch, channels first as it prefers."""
    import torch
    from torch import nn

    class Net(nn.Module):
        """Encoder and decoder with the shapes of build_vae."""

        def __init__(self):
            super().__init__()
            self.encoder = nn.Sequential(
                *(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(1, 16, 3, 2), nn.ELU()),
                *(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(16, 32, 3, 2), nn.ELU()),
                *(nn.Flatten(), nn.Linear(1568, 128), nn.ELU()),
            )
            self.mu, self.logvar = nn.Linear(128, 2), nn.Linear(128, 2)
            dense = [
                part for i, o in ((2, 128), (128, 128), (128, 128), (128, 784)) for part in (nn.Linear(i, o), nn.ELU())
            ]
            self.decoder = nn.Sequential(
                *dense,
                nn.Unflatten(1, (16, 7, 7)),
                *(nn.ConvTranspose2d(16, 16, 4, 2, 1), nn.ELU(), nn.ConvTranspose2d(16, 1, 4, 2, 1), nn.Sigmoid()),
            )

        def loss(self, x):
            h = self.encoder(x)
            mu, logvar = self.mu(h), self.logvar(h).clamp(vh.LOGVAR_MIN, vh.LOGVAR_MAX)
            x_hat = self.decoder(mu + torch.exp(0.5 * logvar) * torch.randn_like(mu))
            recon = nn.functional.binary_cross_entropy(x_hat, x, reduction="sum")
            return (recon + 0.5 * (mu**2 + logvar.exp() - logvar - 1).sum()) / len(x)

    net, images = Net(), torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2)))
    optimizer = torch.optim.Adam(net.parameters(), vh.LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10**6)

    def run() -> float:
        started = time.perf_counter()
        order = torch.randperm(len(images))
        for i in range(0, len(images), BATCH):
            optimizer.zero_grad()
            net.loss(images[order[i : i + BATCH]]).backward()
            optimizer.step()
            schedule.step()
        return time.perf_counter() - started

    run()
    return run


def limit() -> float:
    """Return the multiply-adds per second of a large float32 matrix product."""
    a = tf.random.stateless_normal((2048, 2048), seed=(0, 1))
    tf.linalg.matmul(a, a)
    started = time.perf_counter()
    for _ in range(10):
        product = tf.linalg.matmul(a, a)
    product.numpy()
    return 10 * 2048**3 / (time.perf_counter() - started)


def main() -> None:
    """Measure, print the table and keep it."""
    (x, _), _ = vh.load_fashion_mnist()
    vae = vh.build_vae()
    work = 3 * (multiply_adds(vae.encoder) + multiply_adds(vae.decoder)) * IMAGES
    runs = {"our fit": ours(x), "bare TensorFlow loop": bare(x)}
    if find_spec("torch"):
        runs["PyTorch"] = pytorch(x)
    else:
        print("PyTorch is not installed here and is left out.")
    rounds = []
    for _ in range(ROUNDS):
        rounds.append({name: run() for name, run in runs.items()} | {"limit": limit()})
    print(f"{'':22}images per second: median (from to)   share of the limit   seconds against ours")
    for name in runs:
        rates = [IMAGES / r[name] for r in rounds]
        share = median(work / r[name] / r["limit"] for r in rounds)
        ratio = median(r[name] / r["our fit"] for r in rounds)
        print(f"{name:22}{median(rates):8.0f} ({min(rates):.0f} to {max(rates):.0f}) {share:22.1%} {ratio:20.2f}")
    pieces = parts(x)
    profile = [{name: run() for name, run in pieces.items()} for _ in range(ROUNDS)]
    for name in pieces:
        seconds = [r[name] for r in profile]
        print(f"{name:28}{median(seconds):6.2f} s ({min(seconds):.2f} to {max(seconds):.2f})")
    write_results("throughput", {"images": IMAGES, "multiply_adds": work, "rounds": rounds, "profile": profile})


if __name__ == "__main__":
    main()
