"""A reader may change any number in the parameters cell: the section runs to its end and prints another number.

The sections run on few images with a small network and one step an epoch, because only their running is the question.
All knobs in this process; one knob a section in a kernel of its own, as a student's.
"""

import json
import os
from functools import cache
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import pytest
import tensorflow as tf
from count_code import ROOT, cells
from nbclient import NotebookClient

import course
import vae_helpers as vh

NOTEBOOKS = ROOT / "notebooks"
ALL = sorted(NOTEBOOKS.glob("4.3.*.ipynb"))
SECTIONS, BEYOND = ALL[4:10], ALL[10:]
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
from functools import cache, partial
import vae_helpers as vh
_load = cache(vh.load_fashion_mnist)

def few_images(first_10k=True):
    (x, y), (x_test, y_test) = _load()
    train = 200 if first_10k else 240
    return (x[:train], y[:train]), (x_test[:220], y_test[:220])

def one_step_an_epoch(vae, x_train, x_val=None, epochs=vh.EPOCHS, *_, **__):
    vae.compile("adam", run_eagerly=True)
    steps = [vae.train_on_batch(x_train, return_dict=True) for _ in range(min(epochs, 3))]
    history = {name: [float(step[name]) for step in steps] for name in steps[0]}
    return history | {"val_" + name: [loss + 1 for loss in losses] for name, losses in history.items()}

vh.load_fashion_mnist, vh.fit = few_images, one_step_an_epoch
vh.build_encoder = partial(vh.build_encoder, filters=(2, 2), units=(4,))
vh.build_decoder = partial(vh.build_decoder, units=(4,), channels=2, filters=(2,))
"""


@pytest.fixture(scope="module", autouse=True)
def few(tmp_path_factory):
    """Few images, few and short epochs, few weights, and a folder of trained models that the sections share."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("load_fashion_mnist", "fit", "build_encoder", "build_decoder"):
            patch.setattr(vh, name, getattr(vh, name))  # given back at the end
        exec(FEW, {})
        patch.setenv("VAE_TRAINED", str(tmp_path_factory.mktemp("trained")))
        patch.setenv("VAE_COLLECT", str(tmp_path_factory.mktemp("collected") / "values.jsonl"))
        patch.setenv("MPLBACKEND", "agg")
        patch.syspath_prepend(str(NOTEBOOKS))
        patch.chdir(NOTEBOOKS)
        tf.config.run_functions_eagerly(True)  # faster for so little
        yield
        tf.config.run_functions_eagerly(False)


@cache
def run(path, **turned):
    """Run the section's code cells in this process and return the numbers that it compares."""
    namespace, turned = {"__name__": "__main__"}, {"EPOCHS": 1} | turned
    collected = Path(os.environ["VAE_COLLECT"])
    collected.write_text("")
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


@pytest.mark.parametrize("path", [ALL[1], *ALL[4:]], ids=lambda p: p.name[:6])
def test_the_parameters_cell_holds_the_courses_values_and_no_other_names(path):
    assert knobs_of(path).items() <= course.PARAMETERS.items()


@pytest.mark.parametrize("knob", KNOBS, ids=lambda k: "=".join(map(str, *k.items())))
@pytest.mark.parametrize("path", SECTIONS, ids=lambda p: p.name[:6])
def test_a_turned_knob_runs_to_the_end_and_changes_a_printed_number(path, knob):
    if not knobs_of(path).keys() & knob.keys():
        pytest.skip("this section has no such knob")
    assert run(path, **knob) != run(path), "the knob turns nothing"


@pytest.mark.parametrize("path", BEYOND, ids=lambda p: p.name[:6])
def test_beyond_the_exercise_all_knobs_turned_at_once_run_to_the_end(path):
    assert run(path, USE_FIRST_10K=False, LIKELIHOOD="gaussian", LATENT_DIM=8, BETA=4, EPOCHS=2, SEED=7)


@pytest.mark.parametrize("path", SECTIONS, ids=lambda p: p.name[:6])
def test_a_students_kernel_with_other_settings_shows_everything_and_says_that_they_differ(path):
    notebook = nbformat.read(path, as_version=4)
    at = next(i for i, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", []))
    notebook.cells.insert(at + 1, nbformat.v4.new_code_cell(FEW + "LATENT_DIM, EPOCHS = 3, 1"))
    NotebookClient(notebook, timeout=300).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert "You changed" in str(outputs)
    assert not [output for output in outputs if output.get("name") == "stderr"]
