"""A reader may change any number in the parameters cell: the section runs to its end and prints another number.

The sections run on few images with a small network and one step an epoch, because only their running is the question.
"""

import io
import json
from functools import cache, partial
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
import tensorflow as tf

import course
import vae_helpers as vh
import vae_plots

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
SECTIONS, BEYOND = (sorted(NOTEBOOKS.glob("4.3.*.ipynb"))[part] for part in (slice(4, 10), slice(10, None)))
KNOBS = [
    {"USE_FIRST_10K": False},
    {"LIKELIHOOD": "gaussian"},
    {"LATENT_DIM": 8},
    {"LATENT_DIM": 1},
    {"BETA": 4},
    {"BETA": 0},
    {"EPOCHS": 2},
    {"SEED": 7},
]
# A warning would stand in red below a reader's cell. This one is not a reader's: it tells what `few` does.
pytestmark = [
    pytest.mark.filterwarnings("error"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Even though the `tf.config.experimental_run_functions_eagerly`"),
]


def one_step_an_epoch(vae, x_train, x_val=None, epochs=vh.EPOCHS, *_, **__):
    """Return a history like that of `fit`; each of at most three steps moves every weight as far, downhill."""
    history, weights = {}, vae.trainable_variables
    for _ in range(min(epochs, 3)):
        with tf.GradientTape() as tape:
            vae(x_train)
        for weight, slope in zip(weights, tape.gradient(vae.losses[0], weights), strict=True):
            weight.assign_sub(0.01 * tf.sign(slope))
        for split, images in {"": x_train, "val_": x_val}.items():
            for name, value in ({} if images is None else vh.evaluate(vae, images)).items():
                history.setdefault(split + name, []).append(value)
    return history


@pytest.fixture(scope="module", autouse=True)
def few(tmp_path_factory):
    """Few images, few and short epochs, few weights, and a folder of trained models that the sections share."""
    load = cache(vh.load_fashion_mnist)

    def few_images(first_10k=True):
        (x, y), (x_test, y_test) = load()
        train = 200 if first_10k else 240
        return (x[:train], y[:train]), (x_test[:220], y_test[:220])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vh, "load_fashion_mnist", few_images)
        patch.setattr(vh, "fit", one_step_an_epoch)
        patch.setattr(vh, "build_encoder", partial(vh.build_encoder, filters=(2, 2), units=(4,)))
        patch.setattr(vh, "build_decoder", partial(vh.build_decoder, units=(4,), channels=2, filters=(2,)))
        patch.setenv("VAE_TRAINED", str(tmp_path_factory.mktemp("trained")))
        patch.setenv("MPLBACKEND", "agg")
        patch.syspath_prepend(str(NOTEBOOKS))
        patch.chdir(NOTEBOOKS)
        tf.config.run_functions_eagerly(True)  # faster for so little
        yield
        tf.config.run_functions_eagerly(False)


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run a section with its figures drawn or not; return the numbers that it compares, when nothing stands in red."""
    monkeypatch.setenv("VAE_COLLECT", str(tmp_path / "values"))

    def run(path, drawn=False, **turned):
        namespace, turned = {"__name__": "__main__"}, {"EPOCHS": 1} | turned
        monkeypatch.setattr(vae_plots, "display", lambda fig, **_: fig.savefig(io.BytesIO()) if drawn else None)
        (tmp_path / "values").write_text("")
        for number, (source, tags) in enumerate(cells(path, "code")):
            exec(compile(source, f"{path.stem}, code cell {number}", "exec"), namespace)
            if "parameters" in tags:
                turned = {name: value for name, value in turned.items() if name in namespace}
                namespace.update(turned)
        plt.close("all")
        printed, red = capsys.readouterr()
        assert not red
        (said,) = (line for line in printed.splitlines() if line.startswith("You changed"))
        assert all(f"{name} = {value!r} (the course: " in said for name, value in turned.items())
        return [json.loads(line)["value"] for line in (tmp_path / "values").read_text().splitlines()]

    return run


def knobs_of(path):
    namespace = {}
    exec(next(source for source, tags in cells(path, "code") if "parameters" in tags), namespace)
    return {name: value for name, value in namespace.items() if not name.startswith("_")}


TURNS = [(path, knob) for path in SECTIONS for knob in KNOBS if knob.keys() <= knobs_of(path).keys()]
unturned = {}


@pytest.mark.parametrize("path", SECTIONS + BEYOND, ids=lambda p: p.name[:6])
def test_the_parameters_cell_holds_the_courses_values_and_no_other_names(path):
    assert knobs_of(path).items() <= course.PARAMETERS.items()


@pytest.mark.parametrize(("path", "knob"), TURNS, ids=lambda v: v.name[:6] if isinstance(v, Path) else str(v))
def test_a_turned_knob_runs_to_the_end_and_changes_a_printed_number(path, knob, run):
    if path not in unturned:
        unturned[path] = run(path)
    assert run(path, drawn="LATENT_DIM" in knob, **knob) != unturned[path], "the knob turns nothing"


@pytest.mark.parametrize("path", BEYOND, ids=lambda p: p.name[:6])
def test_beyond_the_exercise_all_knobs_turned_at_once_run_to_the_end(path, run):
    tf.config.run_functions_eagerly(False)  # 4.3.13 calls one a hundred times
    try:
        assert run(path, drawn=True, LIKELIHOOD="gaussian", LATENT_DIM=8, BETA=4, EPOCHS=2, SEED=7)
    finally:
        tf.config.run_functions_eagerly(True)
