"""The helper as it was before the sections were rewritten, for those that are not yet. The last one deletes it."""

import hashlib
import inspect
import json
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import machine

# Some versions stop while TensorFlow is being imported: say so before.
machine.check_versions()
# TensorFlow's C++ log would end up in the notebooks' outputs, and the code below is written for its backend.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
import tensorflow as tf
from IPython import get_ipython
from IPython.display import display
from keras import layers, ops
from matplotlib.figure import Figure

from fashion_mnist import CLASS_NAMES, array_digest, check_images
from fashion_mnist import load_fashion_mnist as load_fashion_mnist
from machine import CACHE_DIR
from machine import ROOT as ROOT
from machine import choose_device as choose_device

# ----------------------------------------------------------------------------------------------------- set-up

SEED = 42


def describe_environment() -> None:
    """Print the versions and the device that this notebook runs on, as a short table."""
    for name, value in (
        ("Python", platform.python_version()),
        ("TensorFlow", tf.__version__),
        ("Keras", keras.__version__),
        ("device", choose_device()),
    ):
        print(f"{name:10}  {value}")


def set_seed(seed: int = SEED) -> None:
    """Seed Python, NumPy and TensorFlow. Weights and z have seeds of their own; this one orders the batches."""
    keras.utils.set_random_seed(seed)


def use_course_style() -> None:
    """Set the look of every figure of the course."""
    sns.set_theme(context="notebook", style="whitegrid", palette="deep")
    plt.rcParams.update(
        {
            "figure.figsize": (5.5, 5.0),
            "figure.dpi": 100,
            "axes.titlesize": 12,
            "axes.labelsize": 11,
            "legend.frameon": True,
            "image.cmap": "gray",
        }
    )


# fmt: off
# One fixed colour per class, after Paul Tol's colour-blind-safe "muted" scheme; black replaces its pale grey.
CLASS_COLORS = (
    "#88CCEE", "#332288", "#DDCC77", "#CC6677", "#117733",
    "#44AA99", "#AA4499", "#999933", "#000000", "#882255",
)
# fmt: on


def show(fig: Figure, alt: str) -> None:
    """Display `fig` with the alternative text `alt`, which says what the picture shows, and close it."""
    display(fig, metadata={"image/png": {"alt": alt}})
    plt.close(fig)


# ------------------------------------------------------------------------------------------------------ model

# Far outside anything that training meets (sigma from 3e-7 to 22,026), near enough that exp() stays finite.
LOGVAR_MIN, LOGVAR_MAX = -30.0, 20.0


def _guard(logvar: Any) -> Any:
    """Clip `logvar` so that exp() cannot overflow; changes nothing in the range that training meets."""
    return ops.clip(logvar, LOGVAR_MIN, LOGVAR_MAX)


def _check_latent_dim(latent_dim: int) -> None:
    if not isinstance(latent_dim, int) or latent_dim < 1:
        raise ValueError(f"latent_dim must be an integer of at least 1, but is {latent_dim!r}.")


class Sampling(layers.Layer):
    """Draw z = mu + exp(logvar / 2) * eps with eps ~ N(0, I): the reparameterization trick (Kingma and Welling 2014).

    Takes `[mu, logvar]`, both (batch, d); returns z, (batch, d). Every call draws a new eps for every number; the
    sequence of draws is set by `seed`.
    """

    def __init__(self, seed: int = SEED, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs: Sequence[Any]) -> Any:
        mu, logvar = inputs
        eps = keras.random.normal(ops.shape(mu), seed=self.seed_generator)
        return mu + ops.exp(0.5 * _guard(logvar)) * eps


def _initializers(initializer: str, seed: int) -> Iterator[keras.initializers.Initializer]:
    """Yield one initializer after another, each with a seed of its own drawn from `seed`."""
    rng = np.random.default_rng(seed)
    while True:
        yield getattr(keras.initializers, initializer)(seed=int(rng.integers(2**31)))


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
    _check_latent_dim(latent_dim)
    choose_device()
    init = _initializers(initializer, seed)
    x = keras.Input((28, 28, 1), name="x")
    h = x
    for f in filters:
        h = layers.Conv2D(f, 3, strides=2, padding="same", activation=activation, kernel_initializer=next(init))(h)
    h = layers.Flatten()(h)
    for u in units:
        h = layers.Dense(u, activation=activation, kernel_initializer=next(init))(h)
    # He's factor 2 makes up for an activation; these two have none.
    init = _initializers("GlorotUniform", seed + 1)
    mu = layers.Dense(latent_dim, kernel_initializer=next(init), name="mu")(h)
    logvar = layers.Dense(latent_dim, kernel_initializer=next(init), name="logvar")(h)
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
    _check_latent_dim(latent_dim)
    if not filters:
        raise ValueError("filters needs at least one entry: two layers with stride 2 bring 7x7 to 28x28.")
    choose_device()
    init = _initializers(initializer, seed + 2)
    z = keras.Input((latent_dim,), name="z")
    h = z
    for u in (*units, 7 * 7 * channels):
        h = layers.Dense(u, activation=activation, kernel_initializer=next(init))(h)
    h = layers.Reshape((7, 7, channels))(h)
    up = {"kernel_size": kernel_size, "padding": "same"}
    for i, f in enumerate(filters):
        strides = 2 if i < 2 else 1
        h = layers.Conv2DTranspose(f, strides=strides, activation=activation, kernel_initializer=next(init), **up)(h)
    init = _initializers("GlorotUniform", seed + 3)
    strides = 2 if len(filters) < 2 else 1
    h = layers.Conv2DTranspose(1, strides=strides, activation="sigmoid", kernel_initializer=next(init), **up)(h)
    return keras.Model(z, h, name="decoder")


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
        if not beta >= 0:
            raise ValueError(f"beta, the weight of the KL term, must be at least 0, but is {beta!r}.")
        self.encoder, self.decoder = encoder, decoder
        self.likelihood, self.beta = likelihood, beta
        self.trackers = [keras.metrics.Mean(name) for name in ("loss", "recon_loss", "kl_loss")]
        self.built = True  # encoder and decoder come with their weights

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return self.trackers

    def call(self, x: Any, training: bool = False) -> Any:
        """Encode, sample and decode: x to x_hat, both (batch, 28, 28, 1)."""
        return self.decoder(self.encoder(x, training=training)[2], training=training)

    def losses_on(self, x: Any, training: bool = False) -> tuple[Any, Any, Any]:
        """Return the scalars (loss, recon_loss, kl_loss): means over the batch, one z per image."""
        mu, logvar, z = self.encoder(x, training=training)
        x_hat = self.decoder(z, training=training)
        recon_loss = ops.mean(reconstruction_loss(x, x_hat, self.likelihood))
        kl_loss = ops.mean(kl_divergence(mu, logvar))
        return recon_loss + self.beta * kl_loss, recon_loss, kl_loss

    def train_step(self, x: Any) -> dict[str, Any]:
        with tf.GradientTape() as tape:
            losses = self.losses_on(x, training=True)
            # tf.distribute adds the replicas' gradients up, so each contributes its share of the mean.
            share = losses[0] / tf.distribute.get_strategy().num_replicas_in_sync
        gradients = tape.gradient(share, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return self._track(losses, x)

    def test_step(self, x: Any) -> dict[str, Any]:
        return self._track(self.losses_on(x), x)

    def _track(self, losses: Sequence[Any], x: Any) -> dict[str, Any]:
        for tracker, value in zip(self.trackers, losses, strict=True):
            # Weighted, so that a short last batch counts for what it holds.
            tracker.update_state(value, sample_weight=ops.shape(x)[0])
        return {tracker.name: tracker.result() for tracker in self.trackers}


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
    return VAE(
        build_encoder(latent_dim, seed=seed, **encoder or {}),
        build_decoder(latent_dim, seed=seed, **decoder or {}),
        likelihood,
        beta,
        name="vae",
    )


# The network of the well-known tutorials, as arguments of build_vae, to compare with.
TUTORIAL: dict[str, Any] = {
    "encoder": {"filters": (32, 64), "units": (16,), "activation": "relu", "initializer": "GlorotUniform"},
    "decoder": {
        "units": (),
        "channels": 64,
        "filters": (64, 32),
        "kernel_size": 3,
        "activation": "relu",
        "initializer": "GlorotUniform",
    },
}

# --------------------------------------------------------------------------------------------------- training

EPOCHS = 15
BATCH_SIZE = 128
LEARNING_RATE = 4e-3

History = dict[str, list[float]]


class Progress(keras.callbacks.Callback):
    """Show one line that is overwritten after every epoch, so that a stored output keeps only the last."""

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        in_notebook = get_ipython() is not None
        self.line = display({"text/plain": "starting …"}, raw=True, display_id=True) if in_notebook else None

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if self.line is None:
            return
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
    learning_rate: float = LEARNING_RATE,
    seed: int = SEED,
    constant: bool = False,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> History:
    """Train `vae` with Adam and a learning rate that falls to zero along a cosine; return a row per epoch by name.

    `constant` keeps the learning rate where it starts, as the tutorials do.

    The history holds loss, recon_loss and kl_loss on `x_train`, each averaged while the epoch ran, and val_… of the
    same after it on `x_val`; all in nats per image.

    Raises:
        TypeError, ValueError: images that `check_images` refuses.
    """
    check_images(x_train, "x_train")
    validation = None if x_val is None else (check_images(x_val, "x_val"),)
    steps = epochs * -(-len(x_train) // batch_size)
    rate = learning_rate if constant else keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    # Left alone, Keras decides by the machine whether XLA compiles the step; we want the same everywhere.
    vae.compile(optimizer=keras.optimizers.Adam(rate), jit_compile=False)
    # Adam's variables, made here and not inside the first step, spare a second tracing of it.
    vae.optimizer.build(vae.trainable_variables)
    set_seed(seed)
    return vae.fit(
        x_train,
        epochs=epochs,
        batch_size=batch_size,
        validation_data=validation,
        validation_batch_size=1000,
        callbacks=[Progress(), *callbacks],
        verbose=0,
    ).history


def _source(part: Callable | type) -> str:
    """Return the source of a function or class; where there is none, as for one typed at a prompt, its bytecode."""
    try:
        return inspect.getsource(part)
    except (OSError, TypeError):
        return part.__code__.co_code.hex() if hasattr(part, "__code__") else repr(part)


def _cache_key(settings: dict[str, Any], x_train: np.ndarray, x_val: np.ndarray | None) -> str:
    """Digest of what changes the result: settings, data, versions, device, source of model, loss and training."""
    source = (Sampling, _initializers, build_encoder, build_decoder, reconstruction_loss, kl_divergence, VAE, build_vae)
    parts = {
        "settings": settings,
        "data": [array_digest(x) for x in (x_train, x_val) if x is not None],
        "versions": [tf.__version__, keras.__version__, np.__version__, choose_device()],
        "constants": [LOGVAR_MIN, LOGVAR_MAX, CLIP],
        "source": [_source(part) for part in (*source, fit, set_seed, _guard)],
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def train_or_load(
    x_train: np.ndarray,
    x_val: np.ndarray | None = None,
    *,
    epochs: int = EPOCHS,
    batch_size: int = BATCH_SIZE,
    learning_rate: float = LEARNING_RATE,
    seed: int = SEED,
    retrain: bool = False,
    cache_dir: Path = CACHE_DIR,
    **model: Any,
) -> tuple[VAE, History]:
    """Return `(vae, history)`: trained earlier with these very settings and loaded, or trained now and saved.

    `model` are arguments of `build_vae`. The file's name depends on everything that changes the result, so an edited
    loss or network is never answered with old weights. Trained or loaded, the model returned draws the same z next.
    A file that cannot be read is set aside; a folder that cannot be written costs the saving, not the model.

    Raises:
        TypeError, ValueError: bad images, or settings that `build_vae` refuses; nothing is written then.
    """
    check_images(x_train, "x_train")
    settings = {"epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate, "seed": seed, **model}
    path = Path(cache_dir) / f"vae-{_cache_key(settings, x_train, x_val)}.npz"
    vae = build_vae(seed=seed, **model)
    vae.compile(jit_compile=False)  # so that evaluate() works; fit() compiles anew
    if path.exists() and not retrain:
        try:
            arrays = machine.load_arrays(path)
            history = json.loads(str(arrays.pop("history")))
            vae.set_weights([arrays[name] for name in sorted(arrays)])
            print(f"Loaded {path.name}, trained earlier with these settings.")
            return vae, history
        except (ValueError, KeyError) as error:
            print(f"{path.name} is damaged or holds another model ({error}).")
            print(f"It is kept as {machine.set_aside(path).name}. Training again.")
    print(f"Training on {len(x_train):,} images for {epochs} epochs …")
    trained = build_vae(seed=seed, **model)
    history = fit(trained, x_train, x_val, epochs, batch_size, learning_rate, seed)
    arrays = {f"weight_{i:02}": w for i, w in enumerate(trained.get_weights())}
    try:
        machine.save_arrays(path, arrays | {"history": np.array(json.dumps(history))})
    except OSError as error:
        print(f"The trained model is in memory, but could not be saved in {path.parent} ({error.strerror}).")
    vae.set_weights(trained.get_weights())
    return vae, history


# ---------------------------------------------------------------------------------------------------- looking


def encode(vae: VAE, x: np.ndarray, batch_size: int = 1000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return `(mu, logvar, z)` of images (N, 28, 28, 1) as arrays (N, d); z is one draw each."""
    check_images(x)
    batches = [vae.encoder(x[i : i + batch_size]) for i in range(0, len(x), batch_size)]
    return tuple(np.concatenate(parts) for parts in zip(*batches, strict=True))


def decode(vae: VAE, z: np.ndarray, batch_size: int = 1000) -> np.ndarray:
    """Return the images x_hat (N, 28, 28, 1) of codes z (N, d)."""
    z = np.asarray(z, "float32")
    return np.concatenate([vae.decoder(z[i : i + batch_size]) for i in range(0, len(z), batch_size)])


# ------------------------------------------------------------------------------------------------------ plots


def plot_image_grid(
    images: np.ndarray, titles: Sequence[str] = (), columns: int = 5, size: float = 1.6, suptitle: str = ""
) -> Figure:
    """Plot images (N, 28, 28, 1) in rows of `columns`, grey from 0 (black) to 1 (white), each under its title."""
    rows = -(-len(images) // columns)
    title_room = 0.3 if len(titles) else 0.05
    fig, axes = plt.subplots(
        rows, columns, figsize=(size * columns, (size + title_room) * rows), squeeze=False, layout="constrained"
    )
    for ax in axes.ravel():
        ax.axis("off")
    for ax, image in zip(axes.ravel(), images, strict=False):
        ax.imshow(image.squeeze(), vmin=0, vmax=1)
    for ax, title in zip(axes.ravel(), titles, strict=False):
        ax.set_title(title)
    if suptitle:
        fig.suptitle(suptitle)
    return fig


def plot_one_per_class(x: np.ndarray, y: np.ndarray, seed: int = SEED) -> Figure:
    """Plot one random image of each class, 2×5, titled with the class names."""
    rng = np.random.default_rng(seed)
    picked = [rng.choice(np.flatnonzero(y == c)) for c in range(len(CLASS_NAMES))]
    return plot_image_grid(x[picked], CLASS_NAMES, suptitle="Fashion-MNIST: one random training image per class")


def plot_history(history: History) -> Figure:
    """Plot loss, recon_loss and kl_loss against the epoch: training solid, held-out dashed, nats per image."""
    fig, axes = plt.subplots(1, 3, figsize=(10.5, 3.6), layout="constrained")
    for ax, name in zip(axes, ("loss", "recon_loss", "kl_loss"), strict=True):
        epochs = np.arange(1, len(history[name]) + 1)
        ax.plot(epochs, history[name], "-o", ms=4, color="#332288", label="training images")
        if f"val_{name}" in history:
            ax.plot(epochs, history[f"val_{name}"], "--s", ms=4, color="#CC6677", label="held-out images")
        ax.set(title=name, xlabel="epoch")
    axes[0].set_ylabel("nats per image")
    axes[0].legend()
    return fig
