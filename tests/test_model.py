"""What the model, its loss and its training promise, against NumPy and against their own contract."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import vae_helpers as vh

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def x():
    """The first 300 training images: two batches of 128 and a short one of 44."""
    return vh.load_fashion_mnist()[0][0][:300]


def small_vae(**settings):
    return vh.build_vae(encoder={"filters": (4, 4), "units": (8,)}, decoder={"units": (8,), "channels": 4}, **settings)


def numpy_kl(mu, logvar):
    return 0.5 * np.sum(mu**2 + np.exp(logvar) - logvar - 1, axis=1)


# --------------------------------------------------------------------------------------------------- losses


def test_kl_of_the_prior_with_itself_is_zero():
    zeros = np.zeros((3, 2), "float32")
    np.testing.assert_array_equal(vh.kl_divergence(zeros, zeros), np.zeros(3))


def test_kl_is_half_the_sum_over_latents_per_image():
    mu, logvar = RNG.normal(size=(2, 50, 5)).astype("float32")
    np.testing.assert_allclose(vh.kl_divergence(mu, logvar), numpy_kl(mu, logvar), rtol=1e-5)


def test_kl_agrees_with_monte_carlo_within_four_standard_errors():
    mu, logvar = np.array([[1.0, -0.5]]), np.array([[-1.0, 0.3]])
    z = mu + np.exp(logvar / 2) * RNG.normal(size=(400_000, 2))
    log_q = -0.5 * ((z - mu) ** 2 / np.exp(logvar) + logvar).sum(1)
    samples = log_q + 0.5 * (z**2).sum(1)
    error = 4 * samples.std() / np.sqrt(len(samples))
    assert abs(samples.mean() - float(vh.kl_divergence(mu, logvar)[0])) < error


@pytest.mark.parametrize("likelihood", vh.LIKELIHOODS)
def test_reconstruction_loss_sums_over_pixels_and_keeps_the_batch(likelihood):
    x, x_hat = RNG.uniform(0.05, 0.95, size=(2, 7, 28, 28, 1)).astype("float32")
    per_pixel = {
        "bernoulli": -(x * np.log(x_hat) + (1 - x) * np.log(1 - x_hat)),
        "gaussian": (x - x_hat) ** 2,
    }[likelihood]
    loss = np.asarray(vh.reconstruction_loss(x, x_hat, likelihood))
    assert loss.shape == (7,)
    np.testing.assert_allclose(loss, per_pixel.reshape(7, -1).sum(1), rtol=1e-5)


def test_saturated_pixels_cost_a_finite_number_of_nats():
    black, white = np.zeros((1, 28, 28, 1), "float32"), np.ones((1, 28, 28, 1), "float32")
    loss = float(vh.reconstruction_loss(white, black)[0])
    assert np.isfinite(loss)
    assert loss > 784 * 15


@pytest.mark.parametrize("extreme", [-1000.0, 1000.0])
def test_loss_and_gradients_are_finite_at_extreme_logvar(extreme, x):
    vae = small_vae()
    mu, logvar = tf.zeros((8, 2)), tf.Variable(tf.fill((8, 2), extreme))
    with tf.GradientTape() as tape:
        z = vh.Sampling()([mu, logvar])
        loss = tf.reduce_mean(vh.reconstruction_loss(x[:8], vae.decoder(z)) + vh.kl_divergence(mu, logvar))
    assert np.isfinite(loss.numpy())
    assert all(np.isfinite(g).all() for g in tape.gradient(loss, [logvar, *vae.decoder.trainable_variables]))


def test_the_guard_changes_nothing_in_the_normal_range():
    logvar = np.linspace(-25, 15, 1001, dtype="float32")[:, None]
    mu = np.zeros_like(logvar)
    np.testing.assert_allclose(
        vh.kl_divergence(mu, logvar), numpy_kl(mu, logvar.astype("float64")), rtol=1e-5, atol=1e-5
    )
    np.testing.assert_array_equal(vh._guard(logvar), logvar)


# ------------------------------------------------------------------------------------------------- sampling


def test_sampling_has_the_mean_and_the_standard_deviation_it_is_told():
    n, mu, logvar = 200_000, 1.5, -2.0
    z = np.asarray(vh.Sampling(seed=3)([np.full((n, 1), mu, "float32"), np.full((n, 1), logvar, "float32")]))
    sigma = np.exp(logvar / 2)
    assert abs(z.mean() - mu) < 4 * sigma / np.sqrt(n)
    assert abs(z.std() - sigma) < 4 * sigma / np.sqrt(2 * n)


def test_eps_is_normal_and_drawn_anew_for_every_image_latent_and_call():
    zeros = np.zeros((50_000, 2), "float32")
    layer = vh.Sampling(seed=1)
    first, second = np.asarray(layer([zeros, zeros])), np.asarray(layer([zeros, zeros]))
    columns = np.column_stack([first, second])
    assert np.abs(np.corrcoef(columns.T) - np.eye(4)).max() < 4 / np.sqrt(len(zeros))
    assert len(np.unique(first[:, 0])) > 0.99 * len(zeros)
    kurtosis = (columns**4).mean()
    assert abs(kurtosis - 3) < 4 * np.sqrt(96 / columns.size), "eps is not normal: its fourth moment is not 3"


def test_equal_seeds_draw_equal_sequences_and_other_seeds_others():
    zeros = np.zeros((4, 2), "float32")
    draws = [np.asarray(vh.Sampling(seed)([zeros, zeros])) for seed in (5, 5, 6)]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert (draws[0] != draws[2]).all()


def test_gradient_through_the_sample_is_one_for_mu_and_half_sigma_eps_for_logvar():
    mu, logvar = tf.Variable([[0.3, -0.2]]), tf.Variable([[0.5, -1.0]])
    with tf.GradientTape() as tape:
        z = vh.Sampling(seed=2)([mu, logvar])
    d_mu, d_logvar = tape.gradient(z, [mu, logvar])
    np.testing.assert_allclose(d_mu, [[1, 1]])
    np.testing.assert_allclose(d_logvar, 0.5 * (z - mu), rtol=1e-5)


# -------------------------------------------------------------------------------------------------- network


@pytest.mark.parametrize("latent_dim", [1, 2, 7])
def test_shapes_from_image_to_code_and_back(latent_dim, x):
    vae = vh.build_vae(latent_dim)
    mu, logvar, z = vae.encoder(x[:3])
    assert mu.shape == logvar.shape == z.shape == (3, latent_dim)
    x_hat = np.asarray(vae.decoder(z))
    assert x_hat.shape == (3, 28, 28, 1)
    assert x_hat.min() >= 0
    assert x_hat.max() <= 1


def test_the_image_shrinks_to_7_by_7_and_grows_back():
    encoder, decoder = vh.build_encoder(), vh.build_decoder()
    sizes = [layer.output.shape[1:3] for layer in encoder.layers if isinstance(layer, keras.layers.Conv2D)]
    assert sizes == [(14, 14), (7, 7)]
    up = [layer.output.shape[1:3] for layer in decoder.layers if isinstance(layer, keras.layers.Conv2DTranspose)]
    assert up == [(14, 14), (28, 28)]


def test_the_seed_alone_decides_the_weights():
    keras.utils.set_random_seed(1)
    first = vh.build_vae(seed=7).get_weights()
    keras.utils.set_random_seed(2)
    second, third = vh.build_vae(seed=7).get_weights(), vh.build_vae(seed=8).get_weights()
    assert all((a == b).all() for a, b in zip(first, second, strict=True))
    assert any((a != b).any() for a, b in zip(first, third, strict=True))


def test_every_layer_draws_weights_of_its_own():
    """Square layers with one seed in common would start with equal kernels."""
    kernels = [w for w in vh.build_decoder().get_weights() if w.shape == (128, 128)]
    assert len(kernels) == 2
    assert (kernels[0] != kernels[1]).any()


def test_the_encoder_gives_mu_then_logvar_then_a_draw_around_mu(x):
    encoder = vh.build_encoder()
    encoder.get_layer("logvar").set_weights([np.zeros((128, 2)), np.full(2, -20.0)])
    mu, logvar, z = (np.asarray(output) for output in encoder(x[:5]))
    np.testing.assert_allclose(logvar, -20)
    np.testing.assert_allclose(z, mu, atol=1e-3)


def test_encode_and_decode_answer_for_every_image_of_a_short_last_batch(x):
    vae = small_vae()
    mu, logvar, z = vh.encode(vae, x, batch_size=128)
    for ours, model in zip((mu, logvar), vae.encoder(x), strict=False):
        np.testing.assert_allclose(ours, model, atol=1e-5)
    assert z.shape == (300, 2)
    np.testing.assert_allclose(vh.decode(vae, z, batch_size=128), vae.decoder(z), atol=1e-5)


def test_no_two_classes_share_a_colour():
    assert len(set(vh.CLASS_COLORS)) == len(vh.CLASS_NAMES) == 10


def test_client_code_of_the_keras_tutorial_runs_on_our_model(x):
    vae = small_vae()
    z_mean, _, _ = vae.encoder.predict(x[:40], verbose=0)
    digit = vae.decoder.predict(np.array([[0.5, -0.5]]), verbose=0)[0].reshape(28, 28)
    assert z_mean.shape == (40, 2)
    assert digit.min() >= 0


def test_the_tutorial_network_is_a_configuration_of_the_same_builder():
    vae = vh.build_vae(**vh.TUTORIAL)
    kernels = [layer.get_weights()[0].shape for layer in vae.decoder.layers if layer.get_weights()]
    assert kernels == [(2, 3136), (3, 3, 64, 64), (3, 3, 32, 64), (3, 3, 1, 32)]


# ------------------------------------------------------------------------------------------------- training


@pytest.mark.parametrize("beta", [0.0, 1.0, 4.0])
def test_the_parts_add_up_to_the_loss_in_every_row_although_the_last_batch_is_short(beta, x):
    history = vh.fit(small_vae(beta=beta), x, x[:130], epochs=2)
    for split in ("", "val_"):
        loss, recon_loss, kl_loss = (np.array(history[f"{split}{n}"]) for n in ("loss", "recon_loss", "kl_loss"))
        np.testing.assert_allclose(recon_loss + beta * kl_loss, loss, rtol=1e-4)


def test_the_reported_loss_is_the_mean_over_images(x):
    vae = small_vae()
    vae.compile(jit_compile=False)
    reported = vae.evaluate(x, batch_size=128, verbose=0, return_dict=True)["kl_loss"]
    mu, logvar, _ = vh.encode(vae, x)
    assert reported == pytest.approx(numpy_kl(mu, logvar).mean(), rel=1e-4)


def test_validation_draws_z_and_does_not_use_mu(x):
    vae = small_vae()
    vae.compile(jit_compile=False)
    assert vae.evaluate(x, verbose=0) != vae.evaluate(x, verbose=0)


def test_xla_is_off_and_training_lowers_the_loss(x):
    vae = small_vae()
    history = vh.fit(vae, x, epochs=4)
    assert vae.jit_compile is False
    assert history["loss"][-1] < history["loss"][0] - 10


PRINT_HISTORY = """
import json, sys
sys.path.insert(0, {root!r})
import vae_helpers as vh
x = vh.load_fashion_mnist()[0][0][:300]
print(json.dumps(vh.fit(vh.build_vae(), x, x[:130], epochs=2)))
"""


def test_equal_seeds_give_the_same_history_to_the_last_bit_in_another_process(x):
    here = vh.fit(vh.build_vae(), x, x[:130], epochs=2)
    code = PRINT_HISTORY.format(root=str(vh.ROOT))
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert json.loads(there.splitlines()[-1]) == here
    assert vh.fit(vh.build_vae(), x, x[:130], epochs=2, seed=1)["loss"] != here["loss"], "the seed orders the batches"


# ---------------------------------------------------------------------------------------------------- cache


def train_small(x, folder, **settings):
    return vh.train_or_load(
        x, epochs=1, cache_dir=folder, encoder={"filters": (4, 4)}, decoder={"channels": 4}, **settings
    )


def test_a_second_call_loads_the_same_model_and_the_same_next_draw(x, tmp_path, capsys):
    trained, first = train_small(x, tmp_path)
    loaded, second = train_small(x, tmp_path)
    assert "Loaded" in capsys.readouterr().out
    assert first == second
    for a, b in zip(vh.encode(trained, x), vh.encode(loaded, x), strict=True):
        np.testing.assert_array_equal(a, b)
    assert [p.suffix for p in tmp_path.iterdir()] == [".npz"], "nothing half-written stays behind"


@pytest.fixture
def no_training(monkeypatch):
    """A fit that takes no time, for what is about files and not about training."""

    def fit(vae, *_):
        return {"loss": [300.0]}

    monkeypatch.setattr(vh, "fit", fit)


def test_whatever_changes_the_result_changes_the_file(x, tmp_path, monkeypatch, no_training):
    train_small(x, tmp_path)
    for changed in ({"beta": 2.0}, {"seed": 1}, {"likelihood": "gaussian"}, {"latent_dim": 3}, {"learning_rate": 1e-3}):
        train_small(x, tmp_path, **changed)
    train_small(x[:256], tmp_path)
    assert len(list(tmp_path.iterdir())) == 7
    monkeypatch.setattr(vh, "kl_divergence", lambda mu, logvar: vh.ops.sum(mu**2, axis=1))
    train_small(x, tmp_path)
    assert len(list(tmp_path.iterdir())) == 8, "an edited loss must not be answered with old weights"
    monkeypatch.setattr(vh, "CLIP", 1e-3)
    train_small(x, tmp_path)
    assert len(list(tmp_path.iterdir())) == 9, "nor an edited constant"


@pytest.mark.parametrize("damage", [b"", b"not an archive", "half", "foreign"])
def test_a_damaged_cache_is_set_aside_and_trained_again(damage, x, tmp_path, capsys, no_training):
    _, history = train_small(x, tmp_path)
    (path,) = tmp_path.iterdir()
    if damage == "foreign":
        np.savez(path, history=np.array(json.dumps(history)), weight_00=np.zeros(3))
    else:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2] if damage == "half" else damage)
    content = path.read_bytes()
    capsys.readouterr()
    assert train_small(x, tmp_path)[1] == history
    assert next(tmp_path.glob("*.damaged")).read_bytes() == content, "nothing of the student's is lost"
    said = capsys.readouterr().out
    assert "damaged or holds another model" in said
    assert "Training again" in said
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".damaged", ".npz"]


def test_retrain_trains_although_there_is_a_file(x, tmp_path, capsys, no_training):
    train_small(x, tmp_path)
    train_small(x, tmp_path, retrain=True)
    assert "Loaded" not in capsys.readouterr().out


# ------------------------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("spoil", "error", "words"),
    [
        (lambda x: x * 255, ValueError, "divide by 255"),
        (lambda x: x - 0.5, ValueError, r"\[0, 1\]"),
        (lambda x: x[..., 0], ValueError, "shape"),
        (lambda x: x[:0], ValueError, "shape"),
        (lambda x: (x * 255).astype("uint8"), TypeError, "uint8"),
        (lambda x: x.astype("float64"), TypeError, "float64"),
        (lambda x: x.tolist(), TypeError, "list"),
        (lambda x: np.where(np.arange(len(x))[:, None, None, None] == 5, np.float32("nan"), x), ValueError, "image 5"),
    ],
)
def test_bad_images_are_refused_at_the_door_and_nothing_is_written(spoil, error, words, x, tmp_path):
    with pytest.raises(error, match=words):
        train_small(spoil(x), tmp_path)
    with pytest.raises(error, match=words):
        vh.encode(small_vae(), spoil(x))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"likelihood": "poisson"}, "bernoulli"),
        ({"latent_dim": 0}, "latent_dim"),
        ({"latent_dim": 1.5}, "latent_dim"),
        ({"beta": -1}, "beta"),
        ({"beta": float("nan")}, "beta"),
        ({"decoder": {"filters": ()}}, "filters"),
    ],
)
def test_bad_settings_are_refused_by_name(settings, words):
    with pytest.raises(ValueError, match=words):
        vh.build_vae(**settings)
