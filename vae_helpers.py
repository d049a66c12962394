"""Helpers for Problem 4.3, Variational Autoencoder: the second use of everything the notebooks explain.

Each idea stands in full in the notebook that teaches it; after it, one line says that the function here agrees.
Imported as `vh`, this module has everything a notebook needs:

    set-up    SEED, set_seed, use_course_style, begin, choose_device, describe_environment, compare, show
    data      CLASS_NAMES, load_fashion_mnist                                                        4.3.02
    model     Sampling, build_encoder, build_decoder                                                 4.3.03, 4.3.04
    loss      reconstruction_loss, kl_divergence, VAE, build_vae                                     4.3.05
    training  course_schedule, fit, train_or_load, evaluate                                          4.3.06
    looking   encode, sample, decode, reconstruct, uncertainty_maps, log_evidence                    4.3.07 to 4.3.13
    plots     plot_images, plot_one_per_class, plot_history, plot_reconstructions, plot_latent_scatter, plot_class_maps,
              plot_clouds, plot_latent_grid, plot_interpolation, plot_uncertainty_maps, plot_confusion, CLASS_COLORS
    plane     latent_grid, explore_plane                                                             4.3.09

Model, loss, training and looking are written below; the rest is re-exported from `vae_plots.py`, `plane_explorer.py`,
`course.py`, `fashion_mnist.py` and `machine.py`. Images are float32 (N, 28, 28, 1) in [0, 1]; losses are in nats.
"""

import inspect
import numbers
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import machine

# Some versions stop while TensorFlow is being imported: say so before.
machine.check_versions()
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

with machine.importing():
    import keras
    import tensorflow as tf

import numpy as np
from IPython import get_ipython
from IPython.display import display
from keras import layers, ops
from keras.optimizers.schedules import CosineDecay, LearningRateSchedule

import trained_models
from course import PARAMETERS, begin, compare
from fashion_mnist import CLASS_NAMES, check_images, load_fashion_mnist
from machine import choose_device, describe_environment
from plane_explorer import explore_plane, latent_grid
from vae_plots import (
    CLASS_COLORS,
    plot_class_maps,
    plot_clouds,
    plot_confusion,
    plot_history,
    plot_images,
    plot_interpolation,
    plot_latent_grid,
    plot_latent_scatter,
    plot_one_per_class,
    plot_reconstructions,
    plot_uncertainty_maps,
    show,
    use_course_style,
)

# ----------------------------------------------------------------------------------------------------- random

SEED = PARAMETERS["SEED"]
# Every part draws from a stream of its own, so that no two parts ever share numbers, whatever their seeds.
_PARTS = ("encoder", "decoder", "sampling", "batches", "draws")


def set_seed(seed: int = SEED) -> None:
    """Seed Python, NumPy and TensorFlow. The functions of this module do not need it: each takes a seed of its own."""
    keras.utils.set_random_seed(seed)


def _rng(seed: int, part: str) -> np.random.Generator:
    if not isinstance(seed, numbers.Integral) or not 0 <= seed < 2**32:
        raise ValueError(f"seed must be an integer from 0 to 4,294,967,295, but is {seed!r}.")
    return np.random.default_rng((int(seed), _PARTS.index(part)))


def _integer(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31))


# ------------------------------------------------------------------------------------------------------ model

# Outside what training with a KL meets (sigma from 3e-7 to 22,026), near enough that exp() stays finite.
LOGVAR_MIN, LOGVAR_MAX = -30.0, 20.0


def _guard(logvar: Any) -> Any:
    """Clip `logvar` so that exp() cannot overflow; changes nothing in the range that training with a KL meets."""
    return ops.clip(logvar, LOGVAR_MIN, LOGVAR_MAX)


def _at_least_one(name: str, value: int) -> int:
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name} must be an integer of at least 1, but is {value!r}.")
    return int(value)


class Sampling(layers.Layer):
    """Draw z = mu + exp(logvar / 2) * eps with eps ~ N(0, I): the reparameterization trick (Kingma and Welling 2014).

    Takes `[mu, logvar]`, both (batch, d); returns z, (batch, d). Every call draws a new eps for every number; the
    sequence of draws is set by `seed`.
    """

    def __init__(self, seed: int = SEED, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(_integer(_rng(seed, "sampling")))

    def call(self, inputs: Sequence[Any]) -> Any:
        mu, logvar = inputs
        eps = keras.random.normal(ops.shape(mu), seed=self.seed_generator)
        return mu + ops.exp(0.5 * _guard(logvar)) * eps


def build_encoder(
    latent_dim: int = 2,
    filters: Sequence[int] = (16, 32),
    units: Sequence[int] = (128,),
    activation: str = "elu",
    initializer: str = "HeNormal",
    seed: int = SEED,
) -> keras.Model:
    """Build the encoder: images (batch, 28, 28, 1) to `[mu, logvar, z]`, each (batch, latent_dim).

    Two convolutions with stride 2 bring 28×28 to 14×14 to 7×7; dense layers of `units` lead to mu and logvar.

    Raises:
        ValueError: `latent_dim` is not an integer of at least 1.
    """
    latent_dim = _at_least_one("latent_dim", latent_dim)
    choose_device()
    rng, hidden = _rng(seed, "encoder"), getattr(keras.initializers, initializer)
    x = keras.Input((28, 28, 1), name="x")
    h = x
    for f in filters:
        h = layers.Conv2D(f, 3, 2, "same", activation=activation, kernel_initializer=hidden(seed=_integer(rng)))(h)
    h = layers.Flatten()(h)
    for u in units:
        h = layers.Dense(u, activation=activation, kernel_initializer=hidden(seed=_integer(rng)))(h)
    # He's factor 2 makes up for an activation; these two have none.
    plain = keras.initializers.GlorotUniform
    mu = layers.Dense(latent_dim, kernel_initializer=plain(seed=_integer(rng)), name="mu")(h)
    logvar = layers.Dense(latent_dim, kernel_initializer=plain(seed=_integer(rng)), name="logvar")(h)
    z = Sampling(seed, name="z")([mu, logvar])
    return keras.Model(x, [mu, logvar, z], name="encoder")


def build_decoder(
    latent_dim: int = 2,
    units: Sequence[int] = (128, 128, 128),
    channels: int = 16,
    filters: Sequence[int] = (16,),
    kernel_size: int = 4,
    activation: str = "elu",
    initializer: str = "HeNormal",
    seed: int = SEED,
) -> keras.Model:
    """Build the decoder: codes z (batch, latent_dim) to x_hat (batch, 28, 28, 1) in [0, 1].

    Dense layers of `units`, then Dense to 7×7×`channels`; transposed convolutions of `filters` and, last, one to the
    single grey channel with a sigmoid. The first two transposed convolutions have stride 2, any further one stride 1.

    Raises:
        ValueError: `latent_dim` is not an integer of at least 1, or `filters` is empty: 7×7 would not reach 28×28.
    """
    latent_dim = _at_least_one("latent_dim", latent_dim)
    if not filters:
        raise ValueError("filters needs at least one entry: two layers with stride 2 bring 7x7 to 28x28.")
    choose_device()
    rng, hidden = _rng(seed, "decoder"), getattr(keras.initializers, initializer)
    z = keras.Input((latent_dim,), name="z")
    h = z
    for u in (*units, 7 * 7 * channels):
        h = layers.Dense(u, activation=activation, kernel_initializer=hidden(seed=_integer(rng)))(h)
    h = layers.Reshape((7, 7, channels))(h)
    up = partial(layers.Conv2DTranspose, kernel_size=kernel_size, padding="same")
    for i, f in enumerate(filters):
        h = up(f, strides=2 if i < 2 else 1, activation=activation, kernel_initializer=hidden(seed=_integer(rng)))(h)
    init = keras.initializers.GlorotUniform(seed=_integer(rng))
    x_hat = up(1, strides=2 if len(filters) < 2 else 1, activation="sigmoid", kernel_initializer=init)(h)
    return keras.Model(z, x_hat, name="decoder")


# ------------------------------------------------------------------------------------------------------- loss

LIKELIHOODS = ("bernoulli", "gaussian")
# x_hat is kept this far from 0 and 1, so that log() stays finite; a pixel then costs at most 16.1 nats.
CLIP = 1e-7


def _check_likelihood(likelihood: str) -> None:
    if likelihood not in LIKELIHOODS:
        raise ValueError(f"likelihood must be one of {LIKELIHOODS}, but is {likelihood!r}.")


def reconstruction_loss(x: Any, x_hat: Any, likelihood: str = "bernoulli") -> Any:
    """Return the reconstruction loss of each image, summed over its pixels: (batch, 28, 28, 1) twice to (batch,), nats.

    "bernoulli": binary cross-entropy, -log p(x given z) for pixels that are 0 or 1.
    "gaussian": the sum of squared errors, which is -log p(x given z) for the variance sigma2_x = 1/2, less the
    constant (784 / 2) log(pi) (Kingma and Welling 2014, appendix C).

    Raises:
        ValueError: an unknown likelihood.
    """
    _check_likelihood(likelihood)
    if likelihood == "gaussian":
        per_pixel = ops.square(x - x_hat)
    else:
        x_hat = ops.clip(x_hat, CLIP, 1.0 - CLIP)
        per_pixel = -(x * ops.log(x_hat) + (1.0 - x) * ops.log(1.0 - x_hat))
    return ops.sum(per_pixel, axis=(1, 2, 3))


def kl_divergence(mu: Any, logvar: Any) -> Any:
    """Return KL(N(mu, diag(exp(logvar))) || N(0, I)) of each image, summed over latents: (batch, d) to (batch,), nats.

    Kingma and Welling (2014), appendix B.
    """
    logvar = _guard(logvar)
    return 0.5 * ops.sum(ops.square(mu) + ops.exp(logvar) - logvar - 1.0, axis=1)


class VAE(keras.Model):
    """Encoder and decoder trained on loss = recon_loss + beta * kl_loss, all in nats per image.

    `beta` is the weight of the KL term (1 for the ELBO); it is not the decoder's variance, which we call sigma2_x.

    Raises:
        ValueError: an unknown likelihood, or a beta that is negative or no number.
    """

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        likelihood: str = "bernoulli",
        beta: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        _check_likelihood(likelihood)
        if not isinstance(beta, numbers.Real) or not 0 <= beta < float("inf"):
            raise ValueError(f"beta, the weight of the KL term, must be a number of at least 0, but is {beta!r}.")
        self.encoder, self.decoder = encoder, decoder
        self.likelihood, self.beta = likelihood, float(beta)
        self.trackers = [keras.metrics.Mean(name) for name in ("loss", "recon_loss", "kl_loss")]
        self.built = True  # encoder and decoder come with their weights

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return self.trackers

    def call(self, x: Any) -> Any:
        """Encode, draw z and decode: x to x_hat, both (batch, 28, 28, 1); the loss is added on the way."""
        mu, logvar, z = self.encoder(x)
        x_hat = self.decoder(z)
        recon_loss = ops.mean(reconstruction_loss(x, x_hat, self.likelihood))
        kl_loss = ops.mean(kl_divergence(mu, logvar))
        loss = recon_loss + self.beta * kl_loss
        self.add_loss(loss)
        for tracker, value in zip(self.trackers, (loss, recon_loss, kl_loss), strict=True):
            # Weighted, so that a short last batch counts for what it holds.
            tracker.update_state(value, sample_weight=ops.shape(x)[0])
        return x_hat

    def compute_loss(self, *_: Any, **__: Any) -> Any:
        """Return what `call`, and a layer's regulariser, have added to the loss, as Keras descends it."""
        # tf.distribute adds the devices' gradients up, so each contributes its share of the mean.
        return sum(self.losses) / tf.distribute.get_strategy().num_replicas_in_sync

    def get_metrics_result(self) -> dict[str, Any]:
        """Return the means since the epoch began, by name."""
        means = super().get_metrics_result()
        if isinstance(tf.distribute.get_strategy(), tf.distribute.MultiWorkerMirroredStrategy):
            # Keras takes the mean over the workers along an axis, which a scalar does not have.
            means = {name: ops.reshape(mean, (1,)) for name, mean in means.items()}
        return means


def build_vae(
    latent_dim: int = 2,
    likelihood: str = "bernoulli",
    beta: float = 1.0,
    seed: int = SEED,
    encoder: dict[str, Any] | None = None,
    decoder: dict[str, Any] | None = None,
) -> VAE:
    """Build an untrained VAE; `encoder` and `decoder` are further arguments of `build_encoder` and `build_decoder`.

    Raises:
        ValueError: `latent_dim` below 1, an unknown likelihood, or a negative beta.
    """
    q = build_encoder(latent_dim, seed=seed, **encoder or {})
    p = build_decoder(latent_dim, seed=seed, **decoder or {})
    vae = VAE(q, p, likelihood, beta)
    vae.compile(jit_compile=False)  # so that evaluate() works; fit() compiles anew
    return vae


# The network of the well-known tutorials, as arguments of build_vae, to compare with.
_RELU = {"activation": "relu", "initializer": "GlorotUniform"}
_TUTORIAL_DECODER = {"units": (), "channels": 64, "filters": (64, 32), "kernel_size": 3}
TUTORIAL = {"encoder": {"filters": (32, 64), "units": (16,)} | _RELU, "decoder": _TUTORIAL_DECODER | _RELU}

# --------------------------------------------------------------------------------------------------- training

EPOCHS = PARAMETERS["EPOCHS"]
BATCH_SIZE = 128
LEARNING_RATE = 1.2e-2  # the largest step size, at the end of the warm-up
WARMUP = 0.15  # the share of all steps in which the step size grows
STEPS_AT_ONCE = 16 if machine.numbers(keras.__version__) >= (3, 7) else 1  # before, 16 had to divide an epoch's steps

History = dict[str, list[float]]
LearningRate = float | LearningRateSchedule


def course_schedule(steps: int, peak: float = LEARNING_RATE, warmup: float = WARMUP) -> CosineDecay:
    """Return a step size that grows linearly from 0 to `peak`, then falls to 0 along a cosine, in `steps` steps."""
    first = round(warmup * steps)
    return CosineDecay(0.0, steps - first, warmup_target=peak, warmup_steps=first)


class Progress(keras.callbacks.Callback):
    """Show one line that is overwritten after every epoch, so that a stored output keeps only the last."""

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        self.line = display({"text/plain": "starting …"}, raw=True, display_id=True)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        logs = {name: float(np.squeeze(value)) for name, value in (logs or {}).items()}
        text = f"epoch {epoch + 1} of {self.params['epochs']}: loss {logs['loss']:.2f}"
        if "val_loss" in logs:
            text += f", held-out loss {logs['val_loss']:.2f}"
        self.line.update({"text/plain": f"{text} nats per image"}, raw=True)


def fit(
    vae: VAE,
    x_train: np.ndarray,
    x_val: np.ndarray | None = None,
    epochs: int = EPOCHS,
    batch_size: int = BATCH_SIZE,
    learning_rate: LearningRate | None = None,
    seed: int = SEED,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> History:
    """Train `vae` with Adam and return its history, a row per epoch by name.

    `learning_rate` is a constant step size, or a schedule of Keras; without one it is `course_schedule`, stretched over
    this training. `seed` orders the batches; the caller's random state in Python and NumPy stays as it was. Scoring
    `x_val` takes draws of eps, too: with and without it, equal seeds end in different weights.

    The history holds loss, recon_loss and kl_loss on `x_train`, each averaged while the epoch ran, and val_… of the
    same after it on `x_val`; all in nats per image.

    Raises:
        TypeError, ValueError: images that `check_images` refuses, or settings out of range.
    """
    check_images(x_train, "x_train")
    validation = None if x_val is None else (check_images(x_val, "x_val"),)
    epochs, batch_size = _at_least_one("epochs", epochs), _at_least_one("batch_size", batch_size)
    if isinstance(learning_rate, numbers.Real) and 0 < learning_rate < float("inf"):
        learning_rate = float(learning_rate)
    elif not isinstance(learning_rate, LearningRateSchedule | None):
        raise ValueError(f"learning_rate must be a number above 0 or a schedule, but is {learning_rate!r}.")
    if learning_rate is None:
        learning_rate = course_schedule(epochs * -(-len(x_train) // batch_size))
    # Left alone, Keras decides by the machine whether XLA compiles the step; we want the same everywhere.
    # Groups of steps are the same steps, with less waiting between them. On several devices, Keras fails with them.
    group = STEPS_AT_ONCE if tf.distribute.get_strategy().num_replicas_in_sync == 1 else 1
    vae.compile(keras.optimizers.Adam(learning_rate), jit_compile=False, steps_per_execution=group)
    # Adam's variables, made here and not inside the first step, spare a second tracing of it.
    vae.optimizer.build(vae.trainable_variables)
    tf.random.set_seed(_integer(_rng(seed, "batches")))
    history = vae.fit(
        x_train,
        epochs=epochs,
        batch_size=batch_size,
        validation_data=validation,
        validation_batch_size=1000,
        callbacks=[*([Progress()] if get_ipython() else []), *callbacks],
        verbose=0,
    ).history
    return {name: [float(np.squeeze(value)) for value in row] for name, row in history.items()}


def _what_trains() -> tuple[Callable | type, ...]:
    """Return the code behind a trained model, looked up anew, so that a function put in its place counts."""
    parts = (_integer, _rng, _guard, Sampling, build_encoder, build_decoder, reconstruction_loss, kl_divergence, VAE)
    return (*parts, build_vae, course_schedule, fit)


trained_models.remember(_what_trains())


def _with_defaults(function: Callable, given: dict[str, Any] | None) -> dict[str, Any]:
    return {name: p.default for name, p in inspect.signature(function).parameters.items()} | (given or {})


def train_or_load(
    x_train: np.ndarray,
    x_val: np.ndarray | None = None,
    *,
    epochs: int = EPOCHS,
    batch_size: int = BATCH_SIZE,
    learning_rate: LearningRate | None = None,
    seed: int = SEED,
    cache_dir: Path | None = None,
    **model: Any,
) -> tuple[VAE, History]:
    """Return `(vae, history)`: trained earlier with these very settings and loaded, or trained now and saved.

    `model` are arguments of `build_vae`. The file's name depends on everything that changes the result, so an edited
    loss or network is never answered with old weights. Trained or loaded, the model returned draws the same z next.
    A file that cannot be read is set aside; a folder that cannot be written costs the saving, not the model.
    `cache_dir` is the folder `trained`, or what the environment variable VAE_TRAINED names.

    Raises:
        TypeError, ValueError: bad images, or settings that `build_vae` or `fit` refuses; nothing is written then.
    """
    check_images(x_train, "x_train")
    if x_val is not None:
        check_images(x_val, "x_val")
    vae = build_vae(seed=seed, **model)
    settings = _with_defaults(build_vae, model) | {"epochs": epochs, "batch_size": batch_size, "seed": seed}
    settings["learning_rate"] = learning_rate
    settings["encoder"] = _with_defaults(build_encoder, settings["encoder"])
    settings["decoder"] = _with_defaults(build_decoder, settings["decoder"])
    settings["constants"] = [_PARTS, LOGVAR_MIN, LOGVAR_MAX, CLIP, WARMUP, LEARNING_RATE]
    key = trained_models.key(settings, (x_train, x_val), _what_trains())
    path = Path(cache_dir or machine.cache_dir()) / f"vae-{key}.npz"
    in_words = f"{vae.likelihood}, {vae.encoder.output_shape[0][1]} latents, beta {vae.beta:g}, "
    in_words += f"{epochs} epochs on {len(x_train):,} images, seed {seed}"
    if path.exists():
        try:
            weights, history = trained_models.read(path)
            vae.set_weights(weights)
            print(f"Loaded the model trained earlier: {in_words}.")
            return vae, history
        except ValueError as error:
            trained_models.set_aside(path, error)
            vae = build_vae(seed=seed, **model)  # some of its weights may be the file's
    print(f"Training: {in_words} …")
    draws = vae.encoder.get_layer("z").seed_generator.state
    next_draw = ops.convert_to_numpy(draws)
    history = fit(vae, x_train, x_val, epochs, batch_size, learning_rate, seed)
    draws.assign(next_draw)
    trained_models.write(path, vae.get_weights(), history)
    return vae, history


# ---------------------------------------------------------------------------------------------------- looking


def _in_batches(network: Callable, inputs: np.ndarray, batch_size: int) -> list[np.ndarray]:
    """Return the outputs of `network` as a list of arrays, one call for each batch."""
    parts = [network(inputs[i : i + batch_size]) for i in range(0, len(inputs), batch_size)]
    parts = [part if isinstance(part, list | tuple) else [part] for part in parts]
    return [np.concatenate([np.asarray(array) for array in output]) for output in zip(*parts, strict=True)]


def encode(model: Any, x: np.ndarray, batch_size: int = 1000) -> tuple[np.ndarray, np.ndarray]:
    """Return `(mu, logvar)` of images (N, 28, 28, 1) as arrays (N, d): no draw, so every call gives the same.

    `model` is a VAE, or any encoder, a function included, that returns `[mu, logvar]`, `[mu, logvar, z]` or, as a plain
    autoencoder does, codes alone: their variance is 0, so their logvar is minus infinity.
    """
    outputs = _in_batches(getattr(model, "encoder", model), check_images(x), batch_size)
    return (outputs[0], outputs[1]) if len(outputs) > 1 else (outputs[0], np.full_like(outputs[0], -np.inf))


def sample(mu: np.ndarray, logvar: np.ndarray, seed: int = SEED) -> np.ndarray:
    """Return one draw z ~ N(mu, diag(exp(logvar))) for each row: (N, d) twice to (N, d). Equal seeds, equal draws."""
    eps = _rng(seed, "draws").standard_normal(np.shape(mu)).astype("float32")
    return np.asarray(mu) + np.exp(0.5 * np.asarray(logvar)) * eps


def decode(model: Any, z: np.ndarray, batch_size: int = 1000) -> np.ndarray:
    """Return the images x_hat (..., 28, 28, 1) of codes z (..., d); `model` is a VAE, or any decoder."""
    z = np.asarray(z, "float32")
    (x_hat,) = _in_batches(getattr(model, "decoder", model), z.reshape(-1, z.shape[-1]), batch_size)
    return x_hat.reshape(*z.shape[:-1], *x_hat.shape[1:])


def reconstruct(model: Any, x: np.ndarray, seed: int | None = None) -> np.ndarray:
    """Return x_hat (N, 28, 28, 1) of images, decoded from mu; with a `seed`, from one draw z for each image."""
    mu, logvar = encode(model, x)
    return decode(model, mu if seed is None else sample(mu, logvar, seed))


def evaluate(vae: VAE, x: np.ndarray, seed: int = SEED) -> dict[str, float]:
    """Return loss, recon_loss and kl_loss, means over the images in nats per image, with one seeded z for each."""
    mu, logvar = encode(vae, x)
    z = sample(mu, logvar, seed)
    at = np.arange(len(x))
    losses = _in_batches(lambda i: reconstruction_loss(x[i], vae.decoder(z[i]), vae.likelihood), at, 1000)
    recon_loss = float(np.mean(losses))
    kl_loss = float(np.mean(kl_divergence(mu, logvar)))
    return {"loss": recon_loss + vae.beta * kl_loss, "recon_loss": recon_loss, "kl_loss": kl_loss}


def uncertainty_maps(model: Any, x: np.ndarray, draws: int = 64, seed: int = SEED) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and variance over `draws` decodes of each image, one z each: (N, 28, 28, 1) twice.

    The variance, divided by draws - 1, is that of decoded images, not that of a pixel's likelihood around each of them.
    """
    if _at_least_one("draws", draws) < 2:
        raise ValueError("draws must be at least 2: one decode has no variance.")
    mu, logvar = encode(model, x)
    spread = np.broadcast_to(mu, (draws, *mu.shape)), np.broadcast_to(logvar, (draws, *mu.shape))
    z = sample(*spread, seed)  # (draws, N, d)
    x_hats = (decode(model, z[:, i : i + 100]) for i in range(0, len(x), 100))  # all may not fit into memory
    mean, variance = zip(*[(x_hat.mean(axis=0), x_hat.var(axis=0, ddof=1)) for x_hat in x_hats], strict=True)
    return np.concatenate(mean), np.concatenate(variance)


def log_evidence(vae: VAE, x: np.ndarray, step: float = 0.05, radius: float = 6.0) -> np.ndarray:
    """Return log p(x) of each image (N, 28, 28, 1), for one or two latents: (N,), nats.

    It is the log of the integral of p(z) exp(-reconstruction_loss) over z, as a sum over a grid of `step` in the disc
    of `radius`, beyond which no posterior may reach; sigma of none should be much below `step`. So p(x) is a
    probability for pixels 0 and 1, and for "gaussian" a density but for that loss's constant.
    """
    d = vae.decoder.input_shape[-1]
    if d > 2:
        raise ValueError(f"log_evidence sums over a line or a plane, but this model has {d} latents.")
    x = check_images(x).reshape(len(x), -1)
    side = np.arange(-radius, radius + step / 2, step)
    z = np.stack(np.meshgrid(*[side] * d), axis=-1).reshape(-1, d).astype("float32")
    z = z[(z**2).sum(axis=1) <= radius**2]
    log_p = np.full(len(x), -np.inf)
    for part in np.array_split(z, -(-len(z) // 1000)):
        x_hat = decode(vae, part).reshape(len(part), -1)  # (1000, 784)
        log_joint = -0.5 * (part**2 + float(np.log(2 * np.pi))).sum(axis=1)  # log p(z); below, log p(x, z)
        if vae.likelihood == "gaussian":
            log_joint = 2 * x @ x_hat.T - (x**2).sum(axis=1)[:, None] + (log_joint - (x_hat**2).sum(axis=1))
        else:
            x_hat = np.clip(x_hat, CLIP, 1 - CLIP)
            log_joint = x @ np.log(x_hat / (1 - x_hat)).T + (log_joint + np.log1p(-x_hat).sum(axis=1))
        log_p = np.logaddexp(log_p, np.asarray(ops.logsumexp(log_joint, axis=1)))
    return log_p + d * np.log(step)
