"""A reader may change any number in the parameters cell: the section runs to its end and prints another number.

The sections run on few images with a small network and one step an epoch, because only their running is the question.
All knobs in this process; one knob a section in a kernel of its own, as a student's.
"""

import contextlib
import io
import json
import os
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import pytest
import tensorflow as tf
from count_code import cells
from nbclient import NotebookClient

import course
import vae_helpers as vh

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

FEW = """
from functools import cache, wraps
import tensorflow as tf
import vae_helpers as vh
_load, _encoder, _decoder = cache(vh.load_fashion_mnist), vh.build_encoder, vh.build_decoder

def few_images(first_10k=True):
    (x, y), (x_test, y_test) = _load()
    train = 200 if first_10k else 240
    return (x[:train], y[:train]), (x_test[:220], y_test[:220])

@wraps(_encoder)
def small_encoder(*args, **settings):
    return _encoder(*args, **{"filters": (2, 2), "units": (4,)} | settings)

@wraps(_decoder)
def small_decoder(*args, **settings):
    return _decoder(*args, **{"units": (4,), "channels": 2, "filters": (2,)} | settings)

def one_step_an_epoch(vae, x_train, x_val=None, epochs=vh.EPOCHS, *_, **__):
    history, weights = {}, vae.trainable_variables
    for _ in range(min(epochs, 3)):
        with tf.GradientTape() as tape:
            vae(x_train)
        for weight, slope in zip(weights, tape.gradient(vae.losses[0], weights)):
            weight.assign_sub(0.01 * tf.sign(slope))
        for split, images in {"": x_train, "val_": x_val}.items():
            for name, value in ({} if images is None else vh.evaluate(vae, images)).items():
                history.setdefault(split + name, []).append(value)
    return history

vh.load_fashion_mnist, vh.fit = few_images, one_step_an_epoch
vh.build_encoder, vh.build_decoder = small_encoder, small_decoder
"""


@pytest.fixture(scope="module", autouse=True)
def few(tmp_path_factory):
    """Few images, few and short epochs, few weights, and a folder of trained models that the sections share."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("load_fashion_mnist", "fit", "build_encoder", "build_decoder"):
            patch.setattr(vh, name, getattr(vh, name))  # given back at the end
        exec(FEW, {})
        patch.setenv("VAE_TRAINED", str(tmp_path_factory.mktemp("trained")))
        patch.setenv("MPLBACKEND", "agg")
        patch.syspath_prepend(str(NOTEBOOKS))
        patch.chdir(NOTEBOOKS)
        tf.config.run_functions_eagerly(True)  # faster for so little
        yield
        tf.config.run_functions_eagerly(False)


_printed: dict[Path, list[float]] = {}


def run(path, **turned):
    """Run the section's code cells in this process and return the numbers that it compares."""
    namespace, turned = {"__name__": "__main__"}, {"EPOCHS": 1} | turned
    collected = Path(os.environ["VAE_TRAINED"]) / "values.jsonl"
    collected.write_text("")
    with contextlib.redirect_stdout(io.StringIO()), pytest.MonkeyPatch.context() as patch:
        patch.setenv("VAE_COLLECT", str(collected))
        for number, (source, tags) in enumerate(cells(path, "code")):
            exec(compile(source, f"{path.stem}, code cell {number}", "exec"), namespace)
            if "parameters" in tags:
                namespace.update({name: value for name, value in turned.items() if name in namespace})
    plt.close("all")
    return [json.loads(line)["value"] for line in collected.read_text().splitlines()]


def knobs_of(path):
    namespace = {}
    exec(next(source for source, tags in cells(path, "code") if "parameters" in tags), namespace)
    return {name: value for name, value in namespace.items() if not name.startswith("_")}


@pytest.mark.parametrize(
    "path", [NOTEBOOKS / "4.3.02_fashion_mnist.ipynb", *SECTIONS, *BEYOND], ids=lambda p: p.name[:6]
)
def test_the_parameters_cell_holds_the_courses_values_and_no_other_names(path):
    assert knobs_of(path).items() <= course.PARAMETERS.items()


@pytest.mark.parametrize("knob", KNOBS, ids=lambda k: "=".join(map(str, *k.items())))
@pytest.mark.parametrize("path", SECTIONS, ids=lambda p: p.name[:6])
def test_a_turned_knob_runs_to_the_end_and_changes_a_printed_number(path, knob):
    if not knobs_of(path).keys() & knob.keys():
        pytest.skip("this section has no such knob")
    if path not in _printed:
        _printed[path] = run(path)
    assert run(path, **knob) != _printed[path], "the knob turns nothing"


@pytest.mark.parametrize("path", BEYOND, ids=lambda p: p.name[:6])
def test_beyond_the_exercise_all_knobs_turned_at_once_run_to_the_end(path):
    tf.config.run_functions_eagerly(False)  # 4.3.13 calls one a hundred times
    try:
        assert run(path, LIKELIHOOD="gaussian", LATENT_DIM=8, BETA=4, EPOCHS=2, SEED=7)
    finally:
        tf.config.run_functions_eagerly(True)


@pytest.mark.parametrize("path", SECTIONS, ids=lambda p: p.name[:6])
def test_a_students_kernel_with_other_settings_shows_everything_and_says_that_they_differ(path, monkeypatch):
    notebook = nbformat.read(path, as_version=4)
    at = next(i for i, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", []))
    turned = {"LATENT_DIM": 3, "EPOCHS": 1} if "LATENT_DIM" in knobs_of(path) else {"SEED": 7}
    lines = [f"{name} = {value!r}" for name, value in turned.items() if name in knobs_of(path)]
    notebook.cells.insert(at + 1, nbformat.v4.new_code_cell(FEW + "\n".join(lines)))
    client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(NOTEBOOKS)}})
    client.execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert "You changed" in str(outputs)
    assert not [output for output in outputs if output.get("name") == "stderr"]
