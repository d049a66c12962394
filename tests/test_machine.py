"""Known-bad versions are refused, a GPU is trusted after it has proved itself, and no file is ever half there."""

import ast
import json
import os
import platform
import re
import runpy
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
# The versions that requirements.txt pins for a Mac.
PIN = r'^([\w-]+)==([\d.]+); sys_platform == "darwin"'
MAC = dict(re.findall(PIN, (ROOT / "requirements.txt").read_text(), flags=re.M))


def start_python(code, *arguments):
    """Start `code` in a process of its own, in the repository."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


# ------------------------------------------------------------------------------------------------- versions


@pytest.mark.parametrize(
    ("versions", "words"),
    [
        (MAC | {"tensorflow-metal": "1.1.0", "tensorflow": "2.18.0"}, "metal 1.1.0 does not work with tensorflow 2.18"),
        (MAC | {"tensorflow": "2.21.0rc1"}, "stops while it is being imported"),
        (MAC | {"keras": "3.7.0"}, "ReLU wrongly"),
        (MAC | {"keras": "3.15.1"}, "ReLU wrongly"),
        (MAC, ""),
        (MAC | {"tensorflow": "2.19.0"}, ""),
        (MAC | {"tensorflow-metal": "1.1.0", "tensorflow": "2.17.1"}, ""),
        ({"tensorflow": "2.21.0", "keras": "3.15.1"}, ""),
    ],
)
def test_versions_that_fail_together_are_refused_with_the_command_that_mends_it_and_no_others(versions, words):
    if not words:
        return machine.check_versions(versions)
    with pytest.raises(ImportError, match=words) as refusal:
        machine.check_versions(versions)
    assert machine.REMEDY in str(refusal.value)


def test_an_intel_python_is_refused_on_an_apple_chip_and_on_no_other(monkeypatch):
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(machine, "_apple_chip", lambda: False)
    machine.check_versions({})
    monkeypatch.setattr(machine, "_apple_chip", lambda: True)
    with pytest.raises(ImportError, match=r"brew install python@3\.12"):
        machine.check_versions({})


def test_the_refusal_comes_before_tensorflow_is_imported():
    said, errors = start_python("""
import importlib.metadata, sys
importlib.metadata.version = {"tensorflow": "2.20.0", "tensorflow-metal": "1.2.0", "keras": "3.6.0"}.get
try:
    import vae_helpers
except ImportError as error:
    print("refused:", error, "tensorflow" in sys.modules)
""").communicate()
    assert re.search("refused: .* False$", said.strip()), said + errors


# --------------------------------------------------------------------------------------------------- device

PASSED = json.dumps({"correct": True, "detail": "training agrees with the CPU's"})
WRONG = json.dumps({"correct": False, "detail": "gradients differ from the CPU's by 3.0e-01"})
NO_ANSWER = "CPU, for the GPU's trial ended with status {} and no answer: no such kernel"
# How the trial's process ends and what it prints (None: it does not end), then what choose_device says.
OUTCOMES = {
    "passed": (0, f"a log\n{PASSED}\n", "GPU: training agrees with the CPU's"),
    "wrong": (0, WRONG, "CPU, for the GPU's gradients differ from the CPU's by 3.0e-01"),
    "timed out": (0, None, "CPU, for the GPU's trial did not end within 300 s"),
    "crashed": (-11, "", NO_ANSWER.format(-11)),
    "crashed after it passed": (-6, PASSED, NO_ANSWER.format(-6)),
    "said nothing": (0, "", NO_ANSWER.format(0)),
    "said something else": (0, "a log", NO_ANSWER.format(0)),
}
FAILED = [name for name in OUTCOMES if name != "passed"]


@pytest.fixture
def mac(monkeypatch, tmp_path):
    """A Mac with a GPU, whose trial ends as OUTCOMES[mac["outcome"]]; every trial's limit and the choice are kept."""
    fake = {"outcome": "passed", "limits": [], "visible": None}

    def run(command, timeout, **_):
        fake["limits"].append(timeout)
        status, printed, _ = OUTCOMES[fake["outcome"]]
        if printed is None:
            raise subprocess.TimeoutExpired(command, timeout)
        return subprocess.CompletedProcess(command, status, stdout=printed, stderr="a warning\nno such kernel\n")

    monkeypatch.setattr(machine, "_device", None)
    monkeypatch.setattr(machine, "installed_versions", lambda: fake.get("versions", MAC))
    monkeypatch.setattr(machine.subprocess, "run", run)
    monkeypatch.setattr(machine.platform, "system", lambda: "Darwin")
    monkeypatch.setattr(machine.platform, "platform", lambda: "macOS-14.5-arm64")
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["Metal"])
    monkeypatch.setattr(tf.config, "set_visible_devices", lambda gpus, kind: fake.update(visible=gpus))
    monkeypatch.setenv("VAE_TRAINED", str(tmp_path))
    monkeypatch.delenv("VAE_DEVICE", raising=False)
    return fake


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_gpu_is_used_if_it_passed_its_trial_and_else_the_cpu_with_the_reason(outcome, mac):
    mac["outcome"] = outcome
    assert machine.choose_device() == OUTCOMES[outcome][2]
    assert mac["visible"] == (["Metal"] if outcome == "passed" else [])


@pytest.mark.parametrize("outcome", FAILED)
def test_a_gpu_that_was_asked_for_and_failed_refuses_with_the_reason_and_the_way_out(outcome, mac):
    mac["outcome"] = outcome
    reason = re.escape(OUTCOMES[outcome][2].removeprefix("CPU, for "))
    with pytest.raises(RuntimeError, match=rf"{reason}\. .*gpu-\*\.json.*unset VAE_DEVICE"):
        machine.choose_device("gpu")
    assert mac["visible"] is None


@pytest.mark.parametrize("outcome", ["passed", "wrong"])
def test_a_gpu_that_gave_an_answer_is_tried_once_for_each_set_of_versions(outcome, mac):
    mac["outcome"] = outcome
    assert machine.choose_device("auto") == machine.choose_device("auto")
    assert mac["limits"] == [300]
    mac["versions"] = MAC | {"keras": "3.5.0"}
    machine.choose_device("auto")
    assert mac["limits"] == [300, 300]


@pytest.mark.parametrize("second", ["timed out", "crashed", "passed"])
def test_a_trial_without_an_answer_is_repeated_once_with_a_shorter_limit(second, mac):
    mac["outcome"] = "timed out"
    machine.choose_device("auto")
    mac["outcome"] = second
    said = [machine.choose_device("auto") for _ in range(3)]
    assert mac["limits"] == [300, 60]
    assert said == [OUTCOMES[second][2].replace("300", "60")] * 3


def test_a_folder_that_cannot_be_written_costs_the_memory_of_a_trial_and_not_the_device(mac, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("VAE_TRAINED", str(tmp_path / "file"))
    assert [machine.choose_device("auto")[:3] for _ in range(2)] == ["GPU", "GPU"]
    assert mac["limits"] == [300, 300]


def test_the_cpu_can_be_asked_for_by_argument_and_by_variable(mac, monkeypatch):
    assert machine.choose_device("cpu") == "CPU, as asked for"
    assert (mac["visible"], mac["limits"]) == ([], [])
    monkeypatch.setattr(machine, "_device", None)
    monkeypatch.setenv("VAE_DEVICE", "cpu")
    assert machine.choose_device() == "CPU, as asked for"
    with pytest.raises(ValueError, match="'tpu'"):
        machine.choose_device("tpu")


def test_a_gpu_asked_for_where_there_is_none_is_an_error(monkeypatch):
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
    mac["outcome"] = "wrong"
    vh.build_decoder()
    assert mac["visible"] == []


def test_the_trials_process_prints_its_verdict_and_asks_for_none_itself(monkeypatch, capsys):
    monkeypatch.setattr(machine, "_device", None)
    monkeypatch.setattr(machine, "gpu_trial", lambda: {"correct": True, "detail": machine.choose_device()})
    runpy.run_path(str(ROOT / "machine.py"), run_name="__main__")
    assert json.loads(capsys.readouterr().out) == {"correct": True, "detail": "GPU, on trial"}


@pytest.fixture(scope="module")
def on_cpu(small):
    """What the trial's training gives on this machine's CPU, for a small network."""
    return machine.train_on("CPU:0", small)


NAN = np.float32("nan")
# What the faulty GPU gives in place of the CPU's arrays of that name, and what the verdict says of it.
FAULTS = {
    "an output off by one per cent": ("outputs", lambda a: [*a[:-1], 1.01 * a[-1]], "outputs differ .* by 1.0e-02"),
    "an output without numbers": ("outputs", lambda a: [*a[:-1], NAN * a[-1]], "outputs differ .* by nan"),
    "a bias without gradient": ("gradients", lambda a: [*a[:-1], 0 * a[-1]], "gradients differ .* by 1.0e"),
    "no step of Adam": ("weights", lambda a: [0 * w for w in a], "weights differ .* by 1.0e"),
    "the same draw twice": ("draws of eps", lambda a: [a[0], a[0]], "draws of eps repeat"),
    "a draw without numbers": ("draws of eps", lambda a: [a[0], NAN * a[1]], "draws of eps repeat or are no numbers"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_trial_says_what_a_faulty_gpu_gets_wrong(fault, on_cpu, monkeypatch):
    name, spoil, words = FAULTS[fault]
    gpu = on_cpu | {name: spoil(on_cpu[name])}
    monkeypatch.setattr(machine, "train_on", lambda device, _: on_cpu if device == "CPU:0" else gpu)
    verdict = machine.gpu_trial()
    assert not verdict["correct"]
    assert re.match(words, verdict["detail"])


def dense_without_bias(layer, inputs, **_):
    return layer.activation(keras.ops.matmul(inputs, layer.kernel) + 0.1)


@pytest.mark.parametrize(("fault", "correct"), [(keras.layers.Dense.call, True), (dense_without_bias, False)])
def test_the_trial_passes_a_device_that_computes_as_this_cpu_and_no_other(fault, correct, on_cpu, small, monkeypatch):
    train_on, networks = machine.train_on, []

    def instead_of_a_gpu(device, network):
        networks.append(network)
        if device == "CPU:0" or len(networks) > 1:
            return on_cpu
        with monkeypatch.context() as patch:
            patch.setattr(keras.layers.Dense, "call", fault)
            return train_on("CPU:0", small)

    monkeypatch.setattr(machine, "train_on", instead_of_a_gpu)
    assert machine.gpu_trial()["correct"] is correct
    assert networks[:2] == [{}, {}], "GPU and CPU train the course's network"
    assert networks[2:] == [vh.TUTORIAL] * 2 * correct, "and the tutorials', which has ReLU"


@pytest.mark.skipif(
    machine._numbers(keras.__version__) >= (3, 7),
    reason="Keras 3.7 and later trace Dense as BiasAdd; a Mac gets 3.6: run `make test-apple-versions`",
)
@pytest.mark.parametrize("settings", [{}, vh.TUTORIAL])
def test_a_macs_graphs_have_no_relu_on_a_bias_add(settings):
    vae = vh.build_vae(**settings)
    step = tf.function(lambda x: vae(x), jit_compile=False)
    graph = step.get_concrete_function(tf.zeros((4, 28, 28, 1))).graph.as_graph_def()
    for nodes in (graph.node, *(function.node_def for function in graph.library.function)):
        kinds = {node.name: node.op for node in nodes}
        inputs_of_relu = [name.split(":")[0] for node in nodes if node.op == "Relu" for name in node.input]
        assert not [name for name in inputs_of_relu if kinds.get(name) == "BiasAdd"]


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
            assert match[1] in ("normal", "SeedGenerator"), f"{dotted}: on Metal only float normals are right"
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

TRAIN = """
import json, pathlib, sys
import vae_helpers as vh
x, folder, small = vh.load_fashion_mnist()[0][0][:300], pathlib.Path(sys.argv[1]), json.loads(sys.argv[2])
print(vh.train_or_load(x, x[:130], epochs=2, cache_dir=folder, **small)[1])
"""


def test_two_processes_train_one_model_at_the_same_moment_and_agree_to_the_last_bit_with_a_third(
    x, small, train, tmp_path, capsys
):
    processes = [start_python(TRAIN, tmp_path / "shared", json.dumps(small)) for _ in range(2)]
    here = train(x, tmp_path / "own", x_val=x[:130], epochs=2)[1]
    for process in processes:
        assert process.communicate()[0].splitlines()[-1] == str(here)
    assert [path.suffix for path in (tmp_path / "shared").iterdir()] == [".npz"]
    assert train(x, tmp_path / "shared", x_val=x[:130], epochs=2)[1] == here
    assert "Loaded" in capsys.readouterr().out


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signal")
def test_a_kill_in_mid_write_leaves_nothing_that_is_ever_loaded(tmp_path):
    process = start_python(
        "import os, pathlib, signal, sys, numpy, machine\n"
        "os.fsync = lambda number: os.kill(os.getpid(), signal.SIGKILL)\n"
        "machine.save_arrays(pathlib.Path(sys.argv[1]), {'weights': numpy.ones(1000)})",
        tmp_path / "new.npz",
    )
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert [path.suffix for path in tmp_path.iterdir()] == [".partial"]


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


def test_a_file_with_code_inside_is_not_executed(tmp_path):
    np.savez(tmp_path / "x.npz", weight_00=np.array([{"a": print}], dtype=object))
    with pytest.raises(ValueError, match="cannot be read"):
        machine.load_arrays(tmp_path / "x.npz")


# ------------------------------------------------------------------------------------------ several devices

TWO_DEVICES = """
import json, sys
import keras, numpy as np, tensorflow as tf
import vae_helpers as vh
# z = mu: the replicas draw noise of their own, and without it both must do the same.
vh.Sampling.call = lambda self, inputs: 1.0 * inputs[0]
vh.sample = lambda mu, logvar, seed: mu
x, small = vh.load_fashion_mnist()[0][0][:256], json.loads(sys.argv[1])
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)

def one_step_of_plain_descent():
    vae = vh.build_vae(**small)
    before = vae.get_weights()
    vae.compile(optimizer=keras.optimizers.SGD(1e-3), jit_compile=False)
    loss = vae.fit(x, batch_size=256, shuffle=False, verbose=0).history["loss"][0]
    first_half = vh.evaluate(vh.build_vae(**small), x[:128])["loss"]
    return loss, first_half, [float(np.sum((new - old) ** 2)) for new, old in zip(vae.get_weights(), before)]

single = one_step_of_plain_descent(), vh.fit(vh.build_vae(**small), x, x[:130], epochs=2)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    double = one_step_of_plain_descent(), vh.fit(vh.build_vae(**small), x, x[:130], epochs=2)
print(json.dumps([strategy.num_replicas_in_sync, single, double]))
"""


def test_two_devices_train_like_one(small):
    process = start_python(TWO_DEVICES, json.dumps(small))
    said, errors = process.communicate()
    assert process.returncode == 0, errors[-2000:]
    replicas, ((loss, half, steps), history), ((loss_2, _, steps_2), history_2) = json.loads(said.splitlines()[-1])
    assert replicas == 2
    # One step of plain descent: half batches are added up in another order, so float32 rounding is all that differs.
    np.testing.assert_allclose(steps_2, steps, rtol=1e-3, atol=1e-12, err_msg="the gradient is not scaled by replicas")
    # Keras 3.6 trains alike, but reports what the first replica has seen.
    old_keras = machine._numbers(keras.__version__) < (3, 7)
    assert loss_2 == pytest.approx(half if old_keras else loss, rel=1e-5)
    # Adam's first step is nearly the gradient's sign, and rounding flips the sign of one that vanishes: so 5 %.
    for name in ("loss", "val_loss"):
        np.testing.assert_allclose(history_2[name], history[name], rtol=0.05, err_msg=name)
