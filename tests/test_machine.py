"""Known-bad versions are refused, a GPU is trusted after it has proved itself, and no file is ever half there."""

import ast
import json
import os
import platform
import re
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import machine
import vae_helpers as vh

ROOT = Path(__file__).parents[1]
MAC = {"tensorflow": "2.16.2", "tensorflow-metal": "1.2.0", "keras": "3.6.0"}

# ------------------------------------------------------------------------------------------------- versions


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tensorflow-metal": "1.1.0", "tensorflow": "2.18.0"}, "tensorflow-metal 1.1.0 does not work with tensorflow"),
        ({"tensorflow": "2.20.0"}, "stops while it is being imported"),
        ({"tensorflow": "2.21.0rc1"}, "stops while it is being imported"),
        ({"keras": "3.7.0"}, "ReLU wrongly"),
        ({"keras": "3.15.1"}, "ReLU wrongly"),
    ],
)
def test_versions_that_fail_together_are_refused_with_the_command_that_mends_it(change, words):
    with pytest.raises(ImportError, match=words) as refusal:
        machine.check_versions(MAC | change)
    assert machine.REMEDY in str(refusal.value)


@pytest.mark.parametrize(
    "versions",
    [
        MAC,
        MAC | {"tensorflow": "2.19.0"},
        MAC | {"tensorflow-metal": "1.1.0", "tensorflow": "2.17.1"},
        {"tensorflow": "2.21.0", "keras": "3.15.1"},
        {},
    ],
)
def test_versions_that_work_together_are_let_through(versions):
    machine.check_versions(versions)


def test_the_pinned_versions_of_a_mac_pass_the_table():
    pins = dict(
        re.findall(r'^([\w-]+)==([\d.]+); sys_platform == "darwin"', (ROOT / "requirements.txt").read_text(), re.M)
    )
    machine.check_versions(pins | {"tensorflow": pins["tensorflow-macos"]})
    assert pins["tensorflow-metal"] == MAC["tensorflow-metal"]


@pytest.mark.parametrize(("apple_chip", "refused"), [(True, True), (False, False)])
def test_an_intel_python_on_an_apple_chip_is_refused(apple_chip, refused, monkeypatch):
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(machine, "_apple_chip", lambda: apple_chip)
    if refused:
        with pytest.raises(ImportError, match=r"brew install python@3\.12"):
            machine.check_versions({})
    else:
        machine.check_versions({})


def run_python(code, **variables):
    """Run `code` in a process of its own, in the repository, and return it when it has ended."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3", **variables}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)


def test_the_refusal_comes_before_tensorflow_is_imported():
    run = run_python("""
import importlib.metadata, sys
importlib.metadata.version = {"tensorflow": "2.20.0", "tensorflow-metal": "1.2.0", "keras": "3.6.0"}.get
try:
    import vae_helpers
except ImportError as error:
    print("refused:", error, "tensorflow" in sys.modules)
""")
    assert re.search("refused: .* False$", run.stdout.strip()), run.stdout + run.stderr


# --------------------------------------------------------------------------------------------------- device


@pytest.fixture
def mac(monkeypatch, tmp_path):
    """A Mac with a GPU, whose test prints what `mac["prints"]` says; every test and every choice is written down."""
    fake = {"prints": "1e-7", "tests": 0, "visible": None}

    def run(*_, **__):
        fake["tests"] += 1
        return subprocess.CompletedProcess([], 0 if fake["prints"] else -11, stdout=fake["prints"])

    monkeypatch.setattr(machine, "_device", None)
    monkeypatch.setattr(machine, "installed_versions", lambda: fake.get("versions", MAC))
    monkeypatch.setattr(machine.subprocess, "run", run)
    monkeypatch.setattr(machine.platform, "system", lambda: "Darwin")
    monkeypatch.setattr(machine.platform, "platform", lambda: "macOS-14.5-arm64")
    monkeypatch.setattr(machine.gpu_verdict, "__defaults__", (tmp_path,))
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["Metal"])
    monkeypatch.setattr(tf.config, "set_visible_devices", lambda gpus, kind: fake.update(visible=gpus))
    monkeypatch.delenv("VAE_DEVICE", raising=False)
    return fake


def test_a_gpu_that_computes_correctly_is_used_and_tested_once(mac, monkeypatch):
    assert machine.choose_device().startswith("GPU: largest difference")
    assert mac["visible"] == ["Metal"]
    monkeypatch.setattr(machine, "_device", None)
    machine.choose_device()
    assert mac["tests"] == 1, "the verdict is kept"
    mac["versions"] = MAC | {"keras": "3.5.0"}
    machine.choose_device("auto")
    assert mac["tests"] == 2, "other versions, another test"


@pytest.mark.parametrize("prints", ["0.3", "nan", ""])
@pytest.mark.parametrize("wanted", ["auto", "gpu"])
def test_a_gpu_that_is_wrong_or_ends_its_process_means_the_cpu_and_a_sentence(mac, prints, wanted):
    mac["prints"] = prints
    assert machine.choose_device(wanted).startswith("CPU, for the GPU failed its test")
    assert mac["visible"] == []


def test_the_cpu_can_be_asked_for_by_argument_and_by_variable(mac, monkeypatch):
    assert machine.choose_device("cpu") == "CPU, as asked for"
    assert (mac["visible"], mac["tests"]) == ([], 0)
    monkeypatch.setattr(machine, "_device", None)
    monkeypatch.setenv("VAE_DEVICE", "cpu")
    assert machine.choose_device() == "CPU, as asked for"
    with pytest.raises(ValueError, match="'tpu'"):
        machine.choose_device("tpu")


def test_a_gpu_asked_for_in_vain_is_an_error(monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    with pytest.raises(RuntimeError, match="sees no GPU"):
        machine.choose_device("gpu")


def test_a_choice_that_comes_too_late_says_to_restart_the_kernel(mac, monkeypatch):
    def refuse(*_):
        raise RuntimeError("Visible devices cannot be modified after being initialized")

    monkeypatch.setattr(tf.config, "set_visible_devices", refuse)
    with pytest.raises(RuntimeError, match="restart the kernel"):
        machine.choose_device("cpu")


def test_the_first_model_built_has_the_device_chosen(mac):
    mac["prints"] = "0.3"
    vh.build_decoder()
    assert mac["visible"] == []


def test_this_cpu_computes_the_test_network_correctly():
    assert machine.gpu_test_difference() < 1e-5


def lose_bias(layer, inputs):
    return layer.activation(keras.ops.matmul(inputs, layer.kernel))


@pytest.mark.parametrize(
    ("layer", "fault"),
    [
        (keras.layers.Dense, lambda layer, inputs, **_: lose_bias(layer, inputs)),
        (keras.layers.Dense, lambda layer, inputs, **_: keras.ops.matmul(inputs, layer.kernel) + layer.bias),
        (keras.layers.Conv2D, lambda layer, inputs, **_: layer.convolution_op(inputs, layer.kernel)),
        (keras.layers.Conv2DTranspose, lambda layer, inputs, **_: keras.ops.zeros((8, 8, 8, 1)) + 0.5),
    ],
)
def test_the_gpu_test_notices_a_layer_that_computes_wrongly(layer, fault, monkeypatch):
    monkeypatch.setattr(layer, "call", fault)
    assert not machine.gpu_test_difference() <= machine.TOLERANCE


def all_nodes(graph):
    """Every node of a traced graph, those inside its functions included, each list by itself."""
    definition = graph.as_graph_def()
    yield list(definition.node)
    for function in definition.library.function:
        yield list(function.node_def)


@pytest.mark.skipif(
    machine._numbers(keras.__version__) >= (3, 7),
    reason="Keras 3.7 and later trace Dense as BiasAdd; a Mac gets 3.6: run `make test-apple-versions`",
)
@pytest.mark.parametrize("settings", [{}, vh.TUTORIAL])
def test_a_macs_graphs_have_no_relu_on_a_bias_add(settings):
    vae = vh.build_vae(**settings)
    step = tf.function(lambda x: vae(x), jit_compile=False)
    graph = step.get_concrete_function(tf.zeros((4, 28, 28, 1))).graph
    for nodes in all_nodes(graph):
        kinds = {node.name: node.op for node in nodes}
        inputs_of_relu = [name.split(":")[0] for node in nodes if node.op == "Relu" for name in node.input]
        assert not [name for name in inputs_of_relu if kinds.get(name) == "BiasAdd"]


ALLOWED_RANDOM = {"normal", "SeedGenerator"}


def code_of(path):
    if path.suffix == ".py":
        return path.read_text()
    cells = json.loads(path.read_text())["cells"]
    return "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")


SOURCES = [*sorted(ROOT.glob("*.py")), *sorted((ROOT / "notebooks").glob("*.ipynb"))]


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.stem)
def test_tensorflow_draws_nothing_but_normal_floats_from_a_seed_generator(path):
    for node in ast.walk(ast.parse(code_of(path))):
        dotted = ast.unparse(node) if isinstance(node, ast.Attribute) else ""
        if match := re.fullmatch(r"tf\.random\.(\w+)", dotted):
            assert match[1] == "set_seed", f"{dotted}: broken on Metal; draw with NumPy or keras.random.normal"
        if match := re.fullmatch(r"(?:keras|ops)\.random\.(\w+)", dotted):
            assert match[1] in ALLOWED_RANDOM, f"{dotted}: on Metal only float normals are right"
        if isinstance(node, ast.keyword) and node.arg == "jit_compile":
            assert ast.unparse(node.value) == "False", "Metal has no XLA compiler"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "compile":
            assert {"jit_compile", "run_eagerly"} & {k.arg for k in node.keywords}, "compile(…) lets Keras choose XLA"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.stem)
def test_no_archive_hdf5_or_pickle_is_ever_read(path):
    """Keras archives and HDF5 weights can carry code or read files: CVE-2025-1550, CVE-2026-1669."""
    text = code_of(path)
    for word in ("load_model", "load_weights", "save_weights", "save_model", "h5py", "pickle.", "allow_pickle=True"):
        assert word not in text, word


# ---------------------------------------------------------------------------------------------------- files


@pytest.fixture
def x():
    return vh.load_fashion_mnist()[0][0][:300]


def train(x, folder, **settings):
    return vh.train_or_load(
        x, epochs=1, cache_dir=folder, encoder={"filters": (4, 4)}, decoder={"channels": 4}, **settings
    )


TRAIN = """
import sys
import vae_helpers as vh
from pathlib import Path
x = vh.load_fashion_mnist()[0][0][:300]
{before}
vae, history = vh.train_or_load(
    x, epochs=1, cache_dir=Path(sys.argv[1]), encoder={{"filters": (4, 4)}}, decoder={{"channels": 4}}
)
print(history["loss"])
"""


def start(folder, before=""):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", TRAIN.format(before=before), str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def test_two_processes_may_train_the_same_model_at_the_same_moment(x, tmp_path, capsys):
    both = [start(tmp_path), start(tmp_path)]
    losses = [process.communicate()[0].splitlines()[-1] for process in both]
    assert losses[0] == losses[1]
    assert [path.suffix for path in tmp_path.iterdir()] == [".npz"]
    assert str(train(x, tmp_path)[1]["loss"]) == losses[0]
    assert "Loaded" in capsys.readouterr().out


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signal")
def test_a_kill_in_mid_write_leaves_nothing_that_is_ever_loaded(x, tmp_path, capsys):
    kill = "import os, signal; os.fsync = lambda number: os.kill(os.getpid(), signal.SIGKILL)"
    process = start(tmp_path, before=kill)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert [path.suffix for path in tmp_path.iterdir()] == [".partial"]
    train(x, tmp_path)
    assert "Loaded" not in capsys.readouterr().out
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".npz", ".partial"]


def test_a_write_that_fails_leaves_what_was_there(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError("no space left on device")

    path = tmp_path / "old.npz"
    path.write_bytes(b"old")
    monkeypatch.setattr(machine.os, "replace", refuse)
    with pytest.raises(OSError, match="no space"):
        machine.write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_written_costs_the_saving_and_not_the_model(x, tmp_path, capsys):
    (tmp_path / "file").touch()
    vae, history = train(x, tmp_path / "file" / "trained")
    assert "could not be saved" in capsys.readouterr().out
    assert np.isfinite(history["loss"]).all()
    assert vh.encode(vae, x)[0].shape == (300, 2)


def test_an_interrupted_fit_writes_nothing_and_loses_nothing(x, tmp_path, monkeypatch):
    _, history = train(x, tmp_path)
    (path,) = tmp_path.iterdir()
    before = path.read_bytes()

    class Interrupt(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            raise KeyboardInterrupt

    monkeypatch.setattr(vh, "Progress", Interrupt)
    with pytest.raises(KeyboardInterrupt):
        train(x, tmp_path, retrain=True)
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == before
    assert train(x, tmp_path)[1] == history


def test_a_file_with_code_inside_is_not_executed(tmp_path):
    np.savez(tmp_path / "x.npz", weight_00=np.array([{"a": print}], dtype=object))
    with pytest.raises(ValueError, match="cannot be read"):
        machine.load_arrays(tmp_path / "x.npz")


# ------------------------------------------------------------------------------------------ several devices

TWO_DEVICES = """
import json
import keras, numpy as np, tensorflow as tf
import vae_helpers as vh
# z = mu: the replicas draw noise of their own, and without it both must do the same.
vh.Sampling.call = lambda self, inputs: 1.0 * inputs[0]
vh.sample = lambda mu, logvar, seed: mu
x = vh.load_fashion_mnist()[0][0][:256]
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)

def one_step_of_plain_descent():
    vae = vh.build_vae()
    before = vae.get_weights()
    vae.compile(optimizer=keras.optimizers.SGD(1e-3), jit_compile=False)
    loss = vae.fit(x, batch_size=256, shuffle=False, verbose=0).history["loss"][0]
    first_half = vh.evaluate(vh.build_vae(), x[:128])["loss"]
    return loss, first_half, [float(np.sum((new - old) ** 2)) for new, old in zip(vae.get_weights(), before)]

single = one_step_of_plain_descent(), vh.fit(vh.build_vae(), x, x[:130], epochs=2)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    double = one_step_of_plain_descent(), vh.fit(vh.build_vae(), x, x[:130], epochs=2)
print(json.dumps([strategy.num_replicas_in_sync, single, double]))
"""


def test_two_devices_train_like_one():
    run = run_python(TWO_DEVICES)
    assert run.returncode == 0, run.stderr[-2000:]
    replicas, ((loss, half, steps), history), ((loss_2, _, steps_2), history_2) = json.loads(
        run.stdout.splitlines()[-1]
    )
    assert replicas == 2
    # One step of plain descent: half batches are added up in another order, so float32 rounding is all that differs.
    np.testing.assert_allclose(steps_2, steps, rtol=1e-3, atol=1e-12, err_msg="the gradient is not scaled by replicas")
    # Keras 3.6 trains alike, but reports what the first replica has seen.
    old_keras = machine._numbers(keras.__version__) < (3, 7)
    assert loss_2 == pytest.approx(half if old_keras else loss, rel=1e-5)
    # Adam's first step is nearly the gradient's sign, and rounding flips the sign of one that vanishes: so 5 %.
    for name in ("loss", "val_loss"):
        np.testing.assert_allclose(history_2[name], history[name], rtol=0.05, err_msg=name)
