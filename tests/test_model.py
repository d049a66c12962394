"""What the model, its loss and its training promise, against NumPy and against their own contract."""

import inspect
import random
import re
from functools import partial
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

import machine
import trained_models
import vae_helpers as vh

RNG = np.random.default_rng(0)


def test_kl_is_half_the_sum_over_latents_for_each_image():
    mu = RNG.normal(size=(50, 5)).astype("float32")
    logvar = RNG.uniform(-25, 15, (50, 5)).astype("float32")
    by_hand = 0.5 * np.sum(mu**2 + np.exp(logvar.astype("float64")) - logvar - 1, axis=1)
    np.testing.assert_allclose(vh.kl_divergence(mu, logvar), by_hand, rtol=1e-5)


def test_reconstruction_loss_sums_over_pixels_for_each_image_and_stays_finite():
    x, x_hat = RNG.uniform(0.05, 0.95, size=(2, 7, 28, 28, 1)).astype("float32")
    cross_entropy, squared = -(x * np.log(x_hat) + (1 - x) * np.log(1 - x_hat)), (x - x_hat) ** 2
    for likelihood, per_pixel in (("bernoulli", cross_entropy), ("gaussian", squared)):
        loss = vh.reconstruction_loss(x, x_hat, likelihood)
        np.testing.assert_allclose(loss, per_pixel.sum(axis=(1, 2, 3)), rtol=1e-5, err_msg=likelihood)
    white, black = np.ones((1, 28, 28, 1), "float32"), np.zeros((1, 28, 28, 1), "float32")
    assert 784 * 15 < vh.reconstruction_loss(white, black)[0] < 784 * 17


def test_loss_and_gradients_are_finite_at_extreme_logvar(x, small):
    vae = vh.build_vae(**small)
    mu, logvar = tf.zeros((8, 2)), tf.Variable([[-1000.0, 1000.0]] * 8)
    with tf.GradientTape() as tape:
        z = vh.Sampling()([mu, logvar])
        loss = tf.reduce_mean(vh.reconstruction_loss(x[:8], vae.decoder(z)) + vh.kl_divergence(mu, logvar))
    assert np.isfinite(loss.numpy())
    assert all(np.isfinite(g).all() for g in tape.gradient(loss, [logvar, *vae.decoder.trainable_variables]))


@pytest.mark.parametrize(("network", "sides"), [({}, [7, 14, 28]), (vh.TUTORIAL, [7, 14, 28, 28])])
def test_the_image_shrinks_to_7_by_7_and_grows_back(network, sides):
    vae = vh.build_vae(**network)
    layers = [*vae.encoder.layers, *vae.decoder.layers]
    assert [layer.output.shape[1] for layer in layers if len(layer.output.shape) == 4] == [28, 14, 7, *sides]


def test_the_seed_alone_decides_every_weight_and_every_draw():
    zeros, found = np.zeros((4, 2), "float32"), []
    for vae in (vh.build_vae(seed=7), vh.build_vae(seed=7), vh.build_vae(seed=8)):
        found.append([*vae.get_weights(), np.asarray(vae.encoder.get_layer("z")([zeros, zeros]))])
    for first, same, other in zip(*found, strict=True):
        np.testing.assert_array_equal(first, same)
        assert (first != other).any() or not first.any(), "only biases begin at 0, whatever the seed"
    square, another = (weights for weights in found[0] if weights.shape == (128, 128))
    assert (square != another).any(), "every layer draws weights of its own"


def test_no_two_parts_of_any_two_models_share_a_stream_of_random_numbers():
    """Seeds that are sums, as seed + 2, meet: the decoder of one seed then starts like the encoder of another."""
    first = [vh._integer(vh._rng(seed, part)) for seed in range(50) for part in vh._PARTS]
    assert len(set(first)) == len(first)


def test_a_sample_has_the_mean_and_the_standard_deviation_it_is_told():
    mu, logvar = np.full((100_000, 2), 1.5), np.full((100_000, 2), -2.0)
    z = vh.sample(mu, logvar, seed=1)
    np.testing.assert_allclose(z.mean(axis=0), 1.5, atol=4 * np.exp(-1) / np.sqrt(len(z)))
    np.testing.assert_allclose(z.std(axis=0), np.exp(-1), atol=4 * np.exp(-1) / np.sqrt(2 * len(z)))
    assert abs(np.corrcoef(z.T)[0, 1]) < 4 / np.sqrt(len(z))
    assert (vh.sample(mu, logvar, seed=2) != z).all()


def test_what_a_layer_adds_to_the_loss_is_descended_too(x, small):
    vae = vh.build_vae(**small)
    vae.decoder.layers[1].kernel.regularizer = keras.regularizers.L2(1.0)
    vae(x[:4])
    added = np.sum(np.square(vae.decoder.layers[1].kernel))
    np.testing.assert_allclose(vae.compute_loss(), float(vae.trackers[0].result()) + added, rtol=1e-4)


@pytest.mark.parametrize("likelihood", vh.LIKELIHOODS)
def test_evaluate_is_the_loss_that_keras_reports_with_other_draws(likelihood, x, small):
    vae = vh.build_vae(likelihood=likelihood, beta=3.0, **small)
    ours = vh.evaluate(vae, x)
    keras_own, again = (vae.evaluate(x, batch_size=128, verbose=0, return_dict=True) for _ in range(2))
    assert vh.evaluate(vae, x) == ours
    assert keras_own["recon_loss"] != again["recon_loss"], "validation draws z, too"
    for found in (ours, keras_own):
        assert found["loss"] == pytest.approx(found["recon_loss"] + 3 * found["kl_loss"], rel=1e-5)
    assert ours["kl_loss"] == pytest.approx(keras_own["kl_loss"], rel=1e-4)
    assert ours["recon_loss"] == pytest.approx(keras_own["recon_loss"], rel=0.01)
    assert ours["recon_loss"] != vh.evaluate(vae, x, seed=1)["recon_loss"], "z is drawn, not mu"


def test_any_encoder_and_decoder_is_looked_at_in_the_same_way_also_in_a_short_last_batch(x, small):
    plain = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    codes, logvar = vh.encode(plain, x, batch_size=128)
    np.testing.assert_allclose(codes, plain(x), atol=1e-5)
    np.testing.assert_array_equal(vh.sample(codes, logvar), codes)
    decoder = vh.build_decoder(**small["decoder"])
    np.testing.assert_allclose(vh.decode(decoder, codes, batch_size=128), decoder(codes), atol=1e-5)
    model = SimpleNamespace(encoder=lambda images: (plain(images), 0 * plain(images)), decoder=decoder)
    np.testing.assert_array_equal(vh.reconstruct(model, x), vh.decode(decoder, codes))
    np.testing.assert_array_equal(vh.reconstruct(model, x, 1), vh.decode(decoder, vh.sample(codes, 0 * codes, 1)))
    mean, variance = vh.uncertainty_maps(model, x, draws=5, seed=2)
    drawn = vh.decode(decoder, vh.sample(np.stack([codes] * 5), np.zeros((5, 300, 2)), 2))
    np.testing.assert_allclose(mean, drawn.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(variance, ((drawn - mean) ** 2).sum(axis=0) / 4, atol=1e-5)


@pytest.mark.parametrize("widths", [[11.8], [11.8, 7.8]])
def test_log_evidence_is_exact_for_a_linear_decoder_whose_posteriors_are_as_narrow_as_ours(widths, x):
    """Its p(x) is a normal density with covariance I / 2 + W W^T; the posterior's sigma is about 0.06 and 0.09."""
    weights = np.diag(widths) @ np.linalg.qr(RNG.normal(size=(784, len(widths))))[0].T
    dense = keras.layers.Dense(784)
    decoder = keras.Sequential([keras.Input((len(widths),)), dense, keras.layers.Reshape((28, 28, 1))])
    dense.set_weights([weights, np.full(784, 0.3)])
    model = SimpleNamespace(decoder=decoder, likelihood="gaussian")
    covariance = np.eye(784) / 2 + weights.T @ weights
    off = x[:100].reshape(-1, 784) - 0.3
    exact = -0.5 * (off * np.linalg.solve(covariance, off.T).T).sum(axis=1) - 0.5 * np.linalg.slogdet(2 * covariance)[1]
    coarse, fine = (np.abs(vh.log_evidence(model, x[:100], step=step) - exact).max() for step in (0.1, 0.05))
    assert fine < 2e-3
    assert coarse > 10 * fine, "half the step brings it to the exact value"


# Of twelve steps: linearly up to 12e-3, the course's largest, then along a cosine towards 0.
COURSE = [0, 6e-3, *6e-3 * (1 + np.cos(np.pi * np.arange(10) / 10))]
DECAY = keras.optimizers.schedules.ExponentialDecay(1e-2, 1, 0.5)


@pytest.mark.parametrize(("given", "sizes"), [(None, COURSE), (2e-3, 2e-3), (DECAY, 1e-2 * 0.5 ** np.arange(12))])
def test_fit_steps_as_it_is_told_and_else_grows_to_its_peak_and_falls_to_zero(given, sizes, x, small, monkeypatch):
    monkeypatch.setattr(vh, "STEPS_AT_ONCE", 1)
    vae, seen = vh.build_vae(**small), []

    def keep(batch, logs):
        seen.append(float(vae.optimizer.learning_rate))

    vh.fit(vae, x, epochs=4, learning_rate=given, callbacks=[keras.callbacks.LambdaCallback(on_train_batch_begin=keep)])
    np.testing.assert_allclose(seen, sizes, rtol=1e-5, atol=1e-9)


def test_steps_in_groups_are_the_same_steps_to_the_last_bit(x, small, monkeypatch):
    trained = []
    for steps in (1, vh.STEPS_AT_ONCE):
        monkeypatch.setattr(vh, "STEPS_AT_ONCE", steps)
        vae = vh.build_vae(**small)
        trained.append([vh.fit(vae, x, x, epochs=2, batch_size=8), *vae.get_weights()])
    np.testing.assert_equal(*trained)


def test_the_seed_decides_the_history_to_the_last_bit_and_the_callers_random_numbers_stay(x, small):
    before = random.getstate(), np.random.get_state()
    first, same, other = (vh.fit(vh.build_vae(**small), x, epochs=2, seed=seed) for seed in (42, 42, 1))
    np.testing.assert_equal((random.getstate(), np.random.get_state()), before)
    assert first == same
    assert first["loss"] != other["loss"], "the seed orders the batches"


@pytest.fixture
def files(x, tmp_path, no_training, train):
    """How many files there are after a training with these settings."""

    def files(**settings):
        train(**{"x_train": x, "cache_dir": tmp_path} | settings)
        return len(list(tmp_path.iterdir()))

    return files


def test_whatever_changes_the_result_changes_the_file(x, files):
    decay, leaky = keras.optimizers.schedules.CosineDecay, keras.layers.LeakyReLU
    lines = [lambda a, slope=slope: slope * a for slope in (0.1, 0.2)]
    changed = {
        "likelihood": ["gaussian"],
        "latent_dim": [3],
        "beta": [2.0],
        "seed": [1],
        "epochs": [2],
        "batch_size": [64],
        "learning_rate": [1e-3, decay(1e-3, 10), decay(2e-3, 10)],
        "x_train": [x[:256], x[::-1]],
        "x_val": [x[:100], x[100:200]],
        "encoder": [{"activation": activation} for activation in ("relu", *lines, leaky(0.1), leaky(0.2))],
        "decoder": [{"activation": "relu"}],
    }
    number = files()
    for name, values in changed.items():
        for value in values:
            number += 1
            assert files(**{name: value}) == number, f"another {name} is answered with these weights"


def test_equal_settings_written_differently_are_one_file(files):
    assert files() == files(beta=1, likelihood="bernoulli", learning_rate=None) == 1
    assert files(beta=np.int64(1), latent_dim=np.int32(2), seed=np.uint8(vh.SEED), batch_size=np.int64(128)) == 1
    assert files(encoder={"filters": [4, 4], "units": [8], "activation": "elu"}) == 1


def test_an_edited_loss_network_or_constant_is_not_answered_with_old_weights(files, monkeypatch):
    names = ["Sampling", "build_encoder", "build_decoder", "reconstruction_loss", "kl_divergence", "VAE", "build_vae"]
    names += ["course_schedule", "fit", "_guard", "_integer", "_rng"]
    edited = {name: partial(getattr(vh, name)) for name in names}
    edited |= {"CLIP": 1e-3, "WARMUP": 0.5, "LEARNING_RATE": 1e-4}
    files()
    for number, (name, value) in enumerate(edited.items(), 2):
        with monkeypatch.context() as patch:
            patch.setattr(vh, name, value)
            assert files() == number, name
    assert trained_models._source(vh.VAE) == inspect.getsource(vh.VAE), "our code counts by its text"


def test_the_device_counts_as_cpu_or_gpu_and_not_as_a_sentence(files, tmp_path, monkeypatch):
    monkeypatch.setenv("VAE_TRAINED", str(tmp_path))
    for said, number in {"CPU": 1, "CPU, as asked for": 1, "GPU: within 1e-7": 2, "GPU: within 2e-7": 2}.items():
        monkeypatch.setattr(machine, "choose_device", lambda said=said: said)
        assert files(cache_dir=None) == number


def test_a_damaged_file_is_set_aside_and_trained_again(x, tmp_path, capsys, no_training, train):
    before, history = train(x, cache_dir=tmp_path)
    (path,) = tmp_path.iterdir()
    train(x, cache_dir=tmp_path / "foreign", seed=1, decoder={"units": (9,), "channels": 4})
    (foreign,) = (tmp_path / "foreign").iterdir()
    whole = path.read_bytes()
    for content in (b"", b"no archive", whole[: len(whole) // 2], foreign.read_bytes()):
        path.write_bytes(content)
        after, again = train(x, cache_dir=tmp_path)
        assert re.search(r"damaged or holds another model(.|\n)*Training again", capsys.readouterr().out)
        assert again == history
        np.testing.assert_equal(after.get_weights(), before.get_weights(), "training began with weights of the file")
        assert content in [kept.read_bytes() for kept in tmp_path.glob("*.damaged")], "nothing of the student's is lost"


@pytest.mark.parametrize(
    ("spoil", "error", "words"),
    [
        (lambda x: x * 255, ValueError, "divide by 255"),
        (lambda x: x - 0.5, ValueError, r"\[0, 1\]"),
        (lambda x: x[..., 0], ValueError, "shape"),
        (lambda x: x[:0], ValueError, "shape"),
        (lambda x: (x * 255).astype("uint8"), TypeError, "uint8"),
        (lambda x: x.astype("float64"), TypeError, "float64: use .astype"),
        (lambda x: x.tolist(), TypeError, "list"),
        (lambda x: np.insert(x, 5, np.nan, axis=0), ValueError, "image 5"),
    ],
)
def test_bad_images_are_refused_at_the_door_and_nothing_is_written(spoil, error, words, x, tmp_path, train, capsys):
    keep = partial(train, cache_dir=tmp_path)
    for look in (keep, partial(keep, x), partial(vh.encode, vh.build_encoder())):
        with pytest.raises(error, match=words):
            look(spoil(x))
    assert not list(tmp_path.iterdir())
    assert "Training" not in capsys.readouterr().out


BAD = {
    "likelihood": ["poisson"],
    "latent_dim": [0, 1.5],
    "beta": [-1, float("nan"), "1"],
    "seed": [-1, 1.5, 2**32],
    "epochs": [0],
    "batch_size": [0],
    "learning_rate": [0.0, float("nan"), "fast"],
}


@pytest.mark.parametrize("name", BAD)
def test_bad_settings_are_refused_by_name_and_nothing_is_written(name, x, tmp_path, train):
    for value in BAD[name]:
        with pytest.raises(ValueError, match=f"{name}.* must be .* but is {value!r}"):
            train(x, cache_dir=tmp_path, **{name: value})
    assert not list(tmp_path.iterdir())


def test_what_a_function_cannot_do_with_good_settings_it_says(x):
    with pytest.raises(ValueError, match="filters needs at least one"):
        vh.build_decoder(filters=())
    with pytest.raises(ValueError, match="draws must be at least 2"):
        vh.uncertainty_maps(vh.build_vae(), x, draws=1)
    with pytest.raises(ValueError, match="3 latents"):
        vh.log_evidence(vh.build_vae(latent_dim=3), x)
