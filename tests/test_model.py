"""What the model, its loss and its training promise, against NumPy and against their own contract."""

import itertools
import json
import math
import random
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

import machine
import trained_models
import vae_helpers as vh

RNG = np.random.default_rng(0)


@pytest.fixture
def small_vae(small):
    return lambda **settings: vh.build_vae(**small | settings)


# --------------------------------------------------------------------------------------------------- losses


def test_kl_is_half_the_sum_over_latents_per_image_and_zero_for_the_prior_itself():
    mu = RNG.normal(size=(50, 5)).astype("float32")
    logvar = RNG.uniform(-25, 15, (50, 5)).astype("float32")
    by_hand = 0.5 * np.sum(mu**2 + np.exp(logvar.astype("float64")) - logvar - 1, axis=1)
    np.testing.assert_allclose(vh.kl_divergence(mu, logvar), by_hand, rtol=1e-5)
    np.testing.assert_array_equal(vh.kl_divergence(0 * mu, 0 * logvar), np.zeros(50))


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
def test_loss_and_gradients_are_finite_at_extreme_logvar(extreme, x, small_vae):
    vae = small_vae()
    mu, logvar = tf.zeros((8, 2)), tf.Variable(tf.fill((8, 2), extreme))
    with tf.GradientTape() as tape:
        z = vh.Sampling()([mu, logvar])
        loss = tf.reduce_mean(vh.reconstruction_loss(x[:8], vae.decoder(z)) + vh.kl_divergence(mu, logvar))
    assert np.isfinite(loss.numpy())
    assert all(np.isfinite(g).all() for g in tape.gradient(loss, [logvar, *vae.decoder.trainable_variables]))


# ------------------------------------------------------------------------------------------------- sampling


def test_eps_is_normal_and_drawn_anew_for_every_image_latent_and_call():
    zeros = np.zeros((50_000, 2), "float32")
    layer = vh.Sampling(seed=1)
    first, second = np.asarray(layer([zeros, zeros])), np.asarray(layer([zeros, zeros]))
    columns = np.column_stack([first, second])
    assert np.abs(np.corrcoef(columns.T) - np.eye(4)).max() < 4 / np.sqrt(len(zeros))
    kurtosis = (columns**4).mean()
    assert abs(kurtosis - 3) < 4 * np.sqrt(96 / columns.size), "eps is not normal: its fourth moment is not 3"


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
    for build, kind, sizes in (
        (vh.build_encoder, keras.layers.Conv2D, [(14, 14), (7, 7)]),
        (vh.build_decoder, keras.layers.Conv2DTranspose, [(14, 14), (28, 28)]),
    ):
        assert [layer.output.shape[1:3] for layer in build().layers if isinstance(layer, kind)] == sizes


@pytest.mark.parametrize("part", ["encoder", "decoder"])
def test_the_seed_alone_decides_the_weights_of_each_part(part):
    keras.utils.set_random_seed(1)
    first = getattr(vh.build_vae(seed=7), part).get_weights()
    keras.utils.set_random_seed(2)
    second, third = (getattr(vh.build_vae(seed=seed), part).get_weights() for seed in (7, 8))
    assert all((a == b).all() for a, b in zip(first, second, strict=True))
    assert all((a != b).any() for a, b in zip(first, third, strict=True) if a.any())


def test_the_seed_of_a_vae_decides_the_draws_of_its_sampling_layer():
    zeros = np.zeros((4, 2), "float32")
    draws = [np.asarray(vh.build_vae(seed=s).encoder.get_layer("z")([zeros, zeros])) for s in (7, 7, 8)]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert (draws[0] != draws[2]).all()


def test_no_two_parts_of_any_two_models_share_a_stream_of_random_numbers():
    """Seeds that are sums, as seed + 2, meet: the decoder of one seed then starts like the encoder of another."""
    first = [vh._integer(vh._rng(seed, part)) for seed in range(50) for part in vh._PARTS]
    assert len(set(first)) == len(first)


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


# -------------------------------------------------------------------------------------------------- looking


def test_encode_and_decode_answer_for_every_image_of_a_short_last_batch(x, small_vae):
    vae = small_vae()
    mu, logvar = vh.encode(vae, x, batch_size=128)
    for ours, model in zip((mu, logvar), vae.encoder(x), strict=False):
        np.testing.assert_allclose(ours, model, atol=1e-5)
    assert mu.shape == (300, 2)
    np.testing.assert_allclose(vh.decode(vae, mu, batch_size=128), vae.decoder(mu), atol=1e-5)


def test_a_sample_has_the_mean_and_the_standard_deviation_it_is_told():
    mu, logvar = np.full((100_000, 2), 1.5), np.full((100_000, 2), -2.0)
    z = vh.sample(mu, logvar, seed=1)
    np.testing.assert_allclose(z.mean(axis=0), 1.5, atol=4 * np.exp(-1) / np.sqrt(len(z)))
    np.testing.assert_allclose(z.std(axis=0), np.exp(-1), atol=4 * np.exp(-1) / np.sqrt(2 * len(z)))
    assert abs(np.corrcoef(z.T)[0, 1]) < 4 / np.sqrt(len(z))
    assert (vh.sample(mu, logvar, seed=2) != z).all()


def test_reconstruct_decodes_mu_without_a_seed_and_a_draw_with_one(x, small_vae):
    vae = small_vae()
    mu, logvar = vh.encode(vae, x[:5])
    np.testing.assert_array_equal(vh.reconstruct(vae, x[:5]), vh.decode(vae, mu))
    np.testing.assert_array_equal(vh.reconstruct(vae, x[:5], seed=1), vh.decode(vae, vh.sample(mu, logvar, 1)))


@pytest.mark.parametrize("likelihood", vh.LIKELIHOODS)
def test_evaluate_is_the_loss_that_keras_reports_with_other_draws(likelihood, x, small_vae):
    vae = small_vae(likelihood=likelihood, beta=3.0)
    ours = vh.evaluate(vae, x)
    keras_own, again = (vae.evaluate(x, batch_size=128, verbose=0, return_dict=True) for _ in range(2))
    assert vh.evaluate(vae, x) == ours
    assert keras_own["recon_loss"] != again["recon_loss"], "validation draws z, too"
    assert ours["loss"] == pytest.approx(ours["recon_loss"] + 3 * ours["kl_loss"])
    assert ours["kl_loss"] == pytest.approx(keras_own["kl_loss"], rel=1e-4)
    assert ours["recon_loss"] == pytest.approx(keras_own["recon_loss"], rel=0.01)
    assert ours["recon_loss"] != vh.evaluate(vae, x, seed=1)["recon_loss"], "z is drawn, not mu"


def test_the_maps_are_mean_and_variance_over_the_draws_of_each_image_by_itself(x, small_vae):
    vae = small_vae()
    mu, logvar = vh.encode(vae, x[:3])
    mean, variance = vh.uncertainty_maps(vae, x[:3], draws=5, seed=2)
    draws = vh.sample(np.stack([mu] * 5), np.stack([logvar] * 5), seed=2)
    x_hat = np.stack([vh.decode(vae, z) for z in draws])
    np.testing.assert_allclose(mean, x_hat.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(variance, ((x_hat - mean) ** 2).sum(axis=0) / 4, atol=1e-6)
    with pytest.raises(ValueError, match="at least 2"):
        vh.uncertainty_maps(vae, x[:3], draws=1)


def test_the_grid_of_the_plane_has_z1_to_the_right_z2_upwards_and_equal_shares_of_the_prior():
    z = vh.latent_grid(5)
    assert z.shape == (5, 5, 2)
    assert (np.diff(z[..., 0], axis=1) > 0).all()
    assert (np.diff(z[..., 1], axis=0) < 0).all()
    shares = [0.5 * (1 + math.erf(v / math.sqrt(2))) for v in z[0, :, 0]]
    np.testing.assert_allclose(shares, [0.1, 0.3, 0.5, 0.7, 0.9], atol=1e-6)
    np.testing.assert_allclose(vh.latent_grid(3, limit=2)[0, :, 0], [-2, 0, 2])


def test_the_grid_serves_one_latent_and_many():
    line = vh.latent_grid(3, latent_dim=1)
    assert line.shape == (3, 3, 1)
    assert (np.diff(line.ravel()) > 0).all()
    many = vh.latent_grid(3, latent_dim=5, dims=(4, 1))
    assert (np.diff(many[..., 4], axis=1) > 0).all()
    assert (np.diff(many[..., 1], axis=0) < 0).all()
    assert not many[..., [0, 2, 3]].any()


def test_encoders_and_decoders_that_are_not_ours_are_looked_at_in_the_same_way(x):
    plain = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    back = keras.Sequential([keras.Input((2,)), keras.layers.Dense(784), keras.layers.Reshape((28, 28, 1))])
    codes, logvar = vh.encode(plain, x)
    np.testing.assert_allclose(codes, plain(x), atol=1e-5)
    np.testing.assert_array_equal(vh.sample(codes, logvar), codes)
    assert vh.decode(back, codes).shape == (300, 28, 28, 1)
    model = SimpleNamespace(encoder=plain, decoder=back)
    np.testing.assert_allclose(vh.reconstruct(model, x), vh.decode(back, codes), atol=1e-5)
    assert vh.uncertainty_maps(model, x[:2], draws=3)[1].max() < 1e-9, "the same code is decoded every time"
    two = vh.encode(lambda images: (plain(images), 0 * plain(images)), x)
    np.testing.assert_array_equal(two[1], 0)


def test_client_code_of_the_keras_tutorial_runs_on_our_model(x, small_vae):
    vae = small_vae()
    z_mean, _, _ = vae.encoder.predict(x[:40], verbose=0)
    digit = vae.decoder.predict(np.array([[0.5, -0.5]]), verbose=0)[0].reshape(28, 28)
    assert z_mean.shape == (40, 2)
    assert digit.min() >= 0


def test_the_tutorial_network_is_a_configuration_of_the_same_builder():
    vae = vh.build_vae(**vh.TUTORIAL)
    kernels = [layer.get_weights()[0].shape for layer in vae.decoder.layers if layer.get_weights()]
    assert kernels == [(2, 3136), (3, 3, 64, 64), (3, 3, 32, 64), (3, 3, 1, 32)]


# -------------------------------------------------------------------------------------------------- judging


@pytest.mark.parametrize("latent_dim", [1, 2])
def test_the_probabilities_of_all_images_add_up_to_one(latent_dim):
    """Three pixels hang on the code, and all others are black for sure: eight images are possible."""
    kernel, bias = np.zeros((latent_dim, 784)), np.full(784, -16.0)
    kernel[:, :3], bias[:3] = RNG.normal(0, 2, (latent_dim, 3)), [0, 1, -1]
    dense = keras.layers.Dense(784, activation="sigmoid")
    decoder = keras.Sequential([keras.Input((latent_dim,)), dense, keras.layers.Reshape((28, 28, 1))])
    dense.set_weights([kernel, bias])
    eight = np.zeros((8, 784), "float32")
    eight[:, :3] = list(itertools.product((0, 1), repeat=3))
    model = SimpleNamespace(decoder=decoder, likelihood="bernoulli")
    log_p = vh.log_evidence(model, eight.reshape(-1, 28, 28, 1), step=0.1)
    np.testing.assert_allclose(np.exp(log_p).sum(), 1, atol=5e-4)


def test_log_evidence_is_exact_for_a_linear_decoder_whose_posteriors_are_as_narrow_as_ours(x):
    """Its p(x) is a normal density with covariance I / 2 + W W^T; the posterior's sigma is about 0.06 and 0.09."""
    weights = np.linalg.qr(RNG.normal(size=(784, 2)))[0].T * [[11.8], [7.8]]
    dense = keras.layers.Dense(784)
    decoder = keras.Sequential([keras.Input((2,)), dense, keras.layers.Reshape((28, 28, 1))])
    dense.set_weights([weights.astype("float32"), np.full(784, 0.3, "float32")])
    covariance = np.eye(784) / 2 + weights.T @ weights
    off = x[:100].reshape(-1, 784) - 0.3
    exact = -0.5 * (off * np.linalg.solve(covariance, off.T).T).sum(axis=1) - 0.5 * np.linalg.slogdet(2 * covariance)[1]
    model = SimpleNamespace(decoder=decoder, likelihood="gaussian")
    off_by = {step: vh.log_evidence(model, x[:100], step=step) - exact for step in (0.1, 0.05)}
    assert np.abs(off_by[0.05]).max() < 2e-3
    assert np.abs(off_by[0.1]).max() > 10 * np.abs(off_by[0.05]).max(), "half the step brings it to the exact value"


def test_log_evidence_refuses_more_latents_than_a_plane_has(x, small_vae):
    with pytest.raises(ValueError, match="3 latents"):
        vh.log_evidence(small_vae(latent_dim=3), x)


# ------------------------------------------------------------------------------------------------- training


def test_the_parts_add_up_to_the_loss_in_every_row_although_the_last_batch_is_short(x, small_vae):
    history = vh.fit(small_vae(beta=4), x, x[:130], epochs=2)
    for split in ("", "val_"):
        loss, recon_loss, kl_loss = (np.array(history[f"{split}{n}"]) for n in ("loss", "recon_loss", "kl_loss"))
        np.testing.assert_allclose(recon_loss + 4 * kl_loss, loss, rtol=1e-4)


def test_the_step_size_grows_to_its_peak_and_falls_to_zero():
    schedule = vh.course_schedule(100, peak=0.5)
    sizes = np.array([float(schedule(t)) for t in range(101)])
    warmup = round(100 * vh.WARMUP)
    np.testing.assert_allclose(sizes[: warmup + 1], 0.5 * np.arange(warmup + 1) / warmup, atol=1e-6)
    np.testing.assert_allclose(sizes[warmup:], 0.25 * (1 + np.cos(np.pi * np.linspace(0, 1, 101 - warmup))), atol=1e-6)


@pytest.mark.parametrize("given", [None, 2e-3, keras.optimizers.schedules.ExponentialDecay(1e-2, 1, 0.5)])
def test_fit_steps_as_it_is_told_and_else_along_the_course_schedule(given, x, small_vae):
    vae, seen = small_vae(), []
    keep = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: seen.append(float(vae.optimizer.learning_rate))
    )
    vh.fit(vae, x, epochs=2, learning_rate=given, callbacks=[keep])
    rate = vh.course_schedule(6) if given is None else given
    expected = [rate if isinstance(rate, float) else float(rate(t)) for t in range(6)]
    np.testing.assert_allclose(seen, expected, rtol=1e-5, atol=1e-9)


def test_the_course_trains_eight_epochs_in_batches_of_128_up_to_a_step_of_12e_3():
    assert (vh.EPOCHS, vh.BATCH_SIZE, vh.LEARNING_RATE) == (8, 128, 1.2e-2)


def test_fit_leaves_the_callers_random_numbers_as_they_were(x, small_vae):
    random.seed(1), np.random.seed(1)
    expected = random.random(), np.random.random()
    random.seed(1), np.random.seed(1)
    vh.fit(small_vae(), x, epochs=1)
    assert (random.random(), np.random.random()) == expected


def test_equal_seeds_give_the_same_history_to_the_last_bit_and_other_seeds_another(x, small_vae):
    histories = [vh.fit(small_vae(), x, epochs=2, seed=seed) for seed in (42, 42, 1)]
    assert histories[0] == histories[1]
    assert histories[2]["loss"] != histories[0]["loss"], "the seed orders the batches"


# ---------------------------------------------------------------------------------------------------- cache


def test_a_second_call_loads_the_same_model_and_the_same_next_draw(x, tmp_path, capsys, train):
    trained, first = train(x, tmp_path, beta=4, seed=7)
    loaded, second = train(x, tmp_path, beta=4, seed=7)
    said = capsys.readouterr().out
    assert "Loaded the model trained earlier: bernoulli, 2 latents, beta 4, 1 epochs on 300 images, seed 7." in said
    assert first == second
    for a, b in zip(trained.encoder(x), loaded.encoder(x), strict=True):  # mu, logvar and a draw
        np.testing.assert_array_equal(a, b)
    assert [p.suffix for p in tmp_path.iterdir()] == [".npz"], "nothing half-written stays behind"


DECAY = keras.optimizers.schedules.CosineDecay
CHANGED = [
    {},
    {"beta": 2.0},
    {"seed": 1},
    {"likelihood": "gaussian"},
    {"latent_dim": 3},
    {"epochs": 2},
    {"batch_size": 64},
    {"learning_rate": 1e-3},
    {"learning_rate": DECAY(1e-3, 10)},
    {"learning_rate": DECAY(2e-3, 10)},
    {"x_val": slice(100)},
    {"x_val": slice(100, 200)},
    {"x": slice(256)},
    {"x": slice(None, None, -1)},
    {"encoder": {"filters": (4, 4), "units": (9,)}},
    {"decoder": {"units": (8,), "channels": 4, "activation": "relu"}},
]
SAME = [
    {},
    {"beta": 1},
    {"beta": np.int64(1), "latent_dim": np.int32(2), "seed": np.uint8(vh.SEED)},
    {"likelihood": "bernoulli"},
    {"encoder": {"filters": [4, 4], "units": [8], "activation": "elu"}},
    {"batch_size": np.int64(vh.BATCH_SIZE), "learning_rate": None},
]


def test_whatever_changes_the_result_changes_the_file(x, tmp_path, no_training, train):
    for number, settings in enumerate(CHANGED, 1):
        images = {name: x[value] for name, value in settings.items() if isinstance(value, slice)}
        train(**{"x": x, "folder": tmp_path} | settings | images)
        assert len(list(tmp_path.iterdir())) == number, f"{settings} is answered with the weights of other settings"


def test_equal_settings_written_differently_are_one_file(x, tmp_path, no_training, train):
    for settings in SAME:
        train(x, tmp_path, **settings)
        assert len(list(tmp_path.iterdir())) == 1, settings


@pytest.mark.parametrize(
    ("name", "edited"),
    [
        ("kl_divergence", lambda mu, logvar: vh.ops.sum(mu**2, axis=1)),
        ("CLIP", 1e-3),
        ("WARMUP", 0.5),
        ("LEARNING_RATE", 1e-4),
    ],
)
def test_an_edited_loss_or_constant_is_not_answered_with_old_weights(
    name, edited, x, tmp_path, monkeypatch, no_training, train
):
    train(x, tmp_path)
    monkeypatch.setattr(vh, name, edited)
    train(x, tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def test_every_part_that_trains_is_in_the_key(x, tmp_path, monkeypatch, no_training, train):
    parts, code = vh._what_trains(), trained_models._source
    trains = {"VAE", "Sampling", "kl_divergence", "reconstruction_loss", "build_encoder", "build_decoder", "build_vae"}
    assert {part.__name__ for part in parts} >= trains | {"course_schedule"}
    for edited in parts:
        monkeypatch.setattr(
            trained_models, "_source", lambda p, edited=edited: code(p) + (" edited" if p is edited else "")
        )
        train(x, tmp_path)
    assert len(list(tmp_path.iterdir())) == len(parts)


def leaky(slope):
    def activation(a):
        return keras.ops.maximum(a, slope * a)

    return activation


def with_default(slope):
    def activation(a, slope=slope):
        return keras.ops.maximum(a, slope * a)

    return activation


class Leaky:
    def __init__(self, slope):
        self.slope = slope

    def activation(self, a):
        return keras.ops.maximum(a, self.slope * a)


SAME_TEXT = [(leaky(0.1), leaky(0.2)), (with_default(0.1), with_default(0.2))]
SAME_TEXT += [(Leaky(0.1).activation, Leaky(0.2).activation), (lambda a: a, lambda a: 2 * a)]


@pytest.mark.parametrize("pair", SAME_TEXT, ids=["closure", "default", "method", "lambda"])
def test_code_that_its_text_does_not_tell_apart_is_trained_anew(pair, x, tmp_path, no_training, train):
    for activation in pair:
        train(x, tmp_path, encoder={"filters": (4, 4), "units": (8,), "activation": activation})
    assert len(list(tmp_path.iterdir())) == 2


def test_the_device_counts_as_cpu_or_gpu_and_not_as_a_sentence(x, tmp_path, monkeypatch, no_training, train):
    for sentence in ("CPU", "CPU, as asked for", "GPU: largest difference 1e-7", "GPU: largest difference 2e-7"):
        monkeypatch.setattr(trained_models.machine, "choose_device", lambda device=None, words=sentence: words)
        monkeypatch.setenv("VAE_TRAINED", str(tmp_path))
        train(x, None)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("damage", [b"", b"not an archive", "half", "foreign"])
def test_a_damaged_cache_is_set_aside_and_trained_again(damage, x, tmp_path, capsys, no_training, train):
    before, history = train(x, tmp_path)
    (path,) = tmp_path.iterdir()
    if damage == "foreign":
        arrays = {name: 0 * array for name, array in machine.load_arrays(path).items() if name != "history"}
        last = sorted(arrays)[-1]
        np.savez(path, history=np.array(json.dumps(history)), **arrays | {last: np.zeros(3)})
    else:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2] if damage == "half" else damage)
    content = path.read_bytes()
    capsys.readouterr()
    after, again = train(x, tmp_path)
    assert again == history
    for a, b in zip(after.get_weights(), before.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b, "training began with weights of the file")
    assert next(tmp_path.glob("*.damaged")).read_bytes() == content, "nothing of the student's is lost"
    said = capsys.readouterr().out
    assert "damaged or holds another model" in said
    assert "Training again" in said
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".damaged", ".npz"]


def test_a_folder_that_cannot_be_written_costs_the_saving_and_not_the_model(x, tmp_path, capsys, train):
    (tmp_path / "file").touch()
    vae, history = train(x, tmp_path / "file" / "trained")
    assert "could not be saved" in capsys.readouterr().out
    assert np.isfinite(history["loss"]).all()
    assert vh.encode(vae, x)[0].shape == (300, 2)


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
def test_bad_images_are_refused_at_the_door_and_nothing_is_written(spoil, error, words, x, tmp_path, small_vae, train):
    with pytest.raises(error, match=words):
        train(spoil(x), tmp_path)
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
        ({"beta": "1"}, "beta"),
        ({"seed": -1}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"seed": 2**32}, "seed"),
        ({"decoder": {"filters": ()}}, "filters"),
        ({"epochs": 0}, "epochs"),
        ({"batch_size": 0}, "batch_size"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"learning_rate": "fast"}, "learning_rate"),
    ],
)
def test_bad_settings_are_refused_by_name_and_nothing_is_written(settings, words, x, tmp_path, train):
    with pytest.raises(ValueError, match=words):
        train(x, tmp_path, **settings)
    assert not list(tmp_path.iterdir())
