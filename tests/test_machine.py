"""Known-bad versions are refused, a GPU is trusted after it has proved itself, and no file is ever half there."""

import contextlib
import gc
import json
import re
import runpy
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from unittest.mock import Mock, patch

import keras
import numpy as np
import pytest
import tensorflow as tf

import machine
import vae_helpers as vh

PIN = r'^([\w-]+)==([\d.]+); sys_platform == "darwin"'
MAC = dict(re.findall(PIN, (machine.ROOT / "requirements.txt").read_text(), flags=re.M))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"tensorflow-metal": "1.1.0", "tensorflow": "2.18.0"}, "metal 1.1.0 does not work with tensorflow 2.18"),
        ({"tensorflow": "2.21.0rc1"}, "stops while it is being imported"),
        ({"keras": "3.15.1"}, "ReLU wrongly"),
        ({}, None),
        ({"tensorflow-metal": "1.1.0", "tensorflow": "2.17.1"}, None),
        ({"tensorflow-metal": None, "tensorflow": "2.21.0", "keras": "3.15.1"}, None),
    ],
)
def test_versions_that_fail_together_are_refused_with_the_command_that_mends_it_and_no_others(changed, words):
    refusal = pytest.raises(ImportError, match=f"{words}.*{re.escape(machine.REMEDY)}")
    with refusal if words else contextlib.nullcontext():
        machine.check_versions(MAC | changed)


def test_an_intel_python_is_refused_on_an_apple_chip_and_on_no_other(monkeypatch):
    monkeypatch.setattr(machine.platform, "system", lambda: "Darwin")
    monkeypatch.setattr(machine.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(machine, "_apple_chip", Mock(side_effect=[False, True]))
    machine.check_versions({})
    with pytest.raises(ImportError, match=r"brew install python@3\.12"):
        machine.check_versions({})


@patch.dict(sys.modules, keras=None, tensorflow=None)
def test_the_refusal_comes_before_tensorflow_is_imported(monkeypatch):
    monkeypatch.setattr(machine, "installed_versions", lambda: MAC | {"keras": "3.7.0"})
    monkeypatch.setattr(machine, "importing", Mock(side_effect=AssertionError("imported before the refusal")))
    with pytest.raises(ImportError, match="ReLU wrongly"):
        runpy.run_path(vh.__file__)


@pytest.mark.parametrize("switch", [gc.disable, gc.enable])
def test_the_garbage_collector_is_off_during_imports_and_then_as_it_was_also_after_an_error(switch):
    switch()
    with pytest.raises(ImportError), machine.importing():
        assert not gc.isenabled()
        raise ImportError
    assert gc.isenabled() == (switch is gc.enable)


PASSED = json.dumps({"correct": True, "detail": "training agrees with the CPU's"})
WRONG = json.dumps({"correct": False, "detail": "gradients differ from the CPU's by 3.0e-01"})
NO_ANSWER = "CPU, for the GPU's trial ended with status {} and no answer: no such kernel"
# How the trial's process ends and what it prints (None: it does not end), then what choose_device says.
OUTCOMES = {
    "passed": (0, f"a log\n{PASSED}\n", "GPU: training agrees with the CPU's"),
    "wrong": (0, WRONG, "CPU, for the GPU's gradients differ from the CPU's by 3.0e-01"),
    "timed out": (0, None, "CPU, for the GPU's trial did not end within 300 s"),
    "crashed": (-11, PASSED, NO_ANSWER.format(-11)),
    "said nothing": (0, "", NO_ANSWER.format(0)),
    "said something else": (0, "a log", NO_ANSWER.format(0)),
}


@pytest.fixture
def mac(monkeypatch, tmp_path):
    """A Mac with a GPU, whose trial ends as OUTCOMES[mac.outcome]; every trial's limit and the choice are kept."""
    mac = Mock(outcome="passed", limits=[], visible=None, versions=MAC)

    def run(command, timeout, **_):
        mac.limits.append(timeout)
        status, printed, _ = OUTCOMES[mac.outcome]
        if printed is None:
            raise subprocess.TimeoutExpired(command, timeout)
        return subprocess.CompletedProcess(command, status, stdout=printed, stderr="a warning\nno such kernel\n")

    monkeypatch.setattr(machine, "_device", None)
    monkeypatch.setattr(machine, "installed_versions", lambda: mac.versions)
    monkeypatch.setattr(machine.subprocess, "run", run)
    monkeypatch.setattr(machine.platform, "system", lambda: "Darwin")
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["Metal"])
    monkeypatch.setattr(tf.config, "set_visible_devices", lambda gpus, kind: setattr(mac, "visible", gpus))
    monkeypatch.setenv("VAE_TRAINED", str(tmp_path))
    monkeypatch.delenv("VAE_DEVICE", raising=False)
    return mac


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_gpu_is_used_if_it_passed_its_trial_and_else_the_cpu_with_the_reason(outcome, mac):
    mac.outcome = outcome
    vh.build_decoder()
    assert machine.choose_device() == OUTCOMES[outcome][2]
    assert mac.visible == (["Metal"] if outcome == "passed" else []), "chosen when the first model was built"


@pytest.mark.parametrize(("first", "second"), [("wrong", "wrong"), ("timed out", "crashed"), ("timed out", "passed")])
def test_a_gpu_is_tried_once_and_without_an_answer_once_more_with_a_shorter_limit(first, second, mac):
    limits = [300, 60] if first == "timed out" else [300]
    for outcome in (first, second, second, second):
        mac.outcome = outcome
        said = machine.choose_device("auto")
    assert said == OUTCOMES[second][2]
    assert mac.limits == limits
    mac.versions = MAC | {"keras": "3.5.0"}
    machine.choose_device("auto")
    assert mac.limits == [*limits, 300], "other versions are tried anew"


def test_a_folder_that_cannot_be_written_costs_only_what_it_would_keep(x, train, no_training, monkeypatch, capsys):
    monkeypatch.setenv("VAE_TRAINED", __file__)
    monkeypatch.setattr(machine.subprocess, "run", Mock(return_value=Mock(returncode=0, stdout=PASSED)))
    assert machine.gpu_verdict()["correct"]
    vae, history = train(x)
    assert "could not be saved" in capsys.readouterr().out
    assert history == {"loss": [300.0]}
    assert vh.encode(vae, x)[0].shape == (300, 2)


@pytest.mark.parametrize("argument", ["cpu", None])
def test_the_cpu_can_be_asked_for_by_argument_and_by_variable(argument, mac, monkeypatch):
    monkeypatch.setenv("VAE_DEVICE", "gpu" if argument else "cpu")
    assert machine.choose_device(argument) == "CPU, as asked for"
    assert (mac.visible, mac.limits) == ([], [])


def test_a_device_that_cannot_be_had_is_an_error_that_says_what_to_do(mac, monkeypatch):
    mac.outcome = "wrong"
    with pytest.raises(RuntimeError, match=r"GPU's gradients differ .*\. .*gpu-\*\.json.*unset VAE_DEVICE"):
        machine.choose_device("gpu")
    assert mac.visible is None
    with pytest.raises(ValueError, match="'tpu'"):
        machine.choose_device("tpu")
    monkeypatch.setattr(tf.config, "set_visible_devices", Mock(side_effect=RuntimeError("cannot be modified")))
    with pytest.raises(RuntimeError, match="restart the kernel"):
        machine.choose_device("cpu")
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    with pytest.raises(RuntimeError, match="sees no GPU"):
        machine.choose_device("gpu")


def test_the_trials_process_prints_its_verdict_and_asks_for_none_itself(monkeypatch, capsys):
    monkeypatch.setattr(machine, "_device", None)
    monkeypatch.setattr(machine, "gpu_trial", lambda: {"correct": True, "detail": machine.choose_device()})
    runpy.run_path(machine.__file__, run_name="__main__")
    assert json.loads(capsys.readouterr().out) == {"correct": True, "detail": "GPU, on trial"}


@pytest.mark.parametrize(
    ("name", "factor", "words"),
    [
        ("outputs", 1.01, "outputs differ .* by 1.0e-02"),
        ("outputs", np.nan, "outputs differ .* by nan"),
        ("gradients", 0, "gradients differ .* by 1.0e"),
        ("weights", 0, "weights differ .* by 1.0e"),
        ("draws of eps", 0.5, "draws of eps repeat"),
        ("draws of eps", np.nan, "draws of eps .* are no numbers"),
    ],
)
def test_the_trial_says_what_a_faulty_gpu_gets_wrong(name, factor, words, monkeypatch):
    cpu = {each: [np.ones(3), np.full(3, 2.0)] for each in ("outputs", "gradients", "weights", "draws of eps")}
    gpu = cpu | {name: [cpu[name][0], factor * cpu[name][1]]}
    monkeypatch.setattr(machine, "train_on", lambda device, _: cpu if device == "CPU:0" else gpu)
    verdict = machine.gpu_trial()
    assert not verdict["correct"]
    assert re.match(words, verdict["detail"])


def test_the_trial_trains_both_networks_and_passes_a_device_that_computes_as_the_cpu_and_no_other(small, monkeypatch):
    networks = {"CPU:0": small, "GPU:0": small}
    train_on = Mock(side_effect=lambda device, _, on=machine.train_on: on("CPU:0", networks[device]))
    monkeypatch.setattr(machine, "train_on", train_on)
    assert machine.gpu_trial()["correct"]
    trained = [call.args for call in train_on.call_args_list]
    assert trained == [("GPU:0", {}), ("CPU:0", {}), ("GPU:0", vh.TUTORIAL), ("CPU:0", vh.TUTORIAL)]
    networks["GPU:0"] = small | {"encoder": small["encoder"] | {"activation": "relu"}}
    assert not machine.gpu_trial()["correct"], "it takes ReLU for ELU"


@pytest.mark.skipif(machine.numbers(keras.__version__) >= (3, 7), reason="a Mac gets 3.6: make test-apple-versions")
def test_a_macs_graphs_have_no_relu_on_a_bias_add():
    step = tf.function(vh.build_vae(**vh.TUTORIAL).call, jit_compile=False)
    graph = step.get_concrete_function(tf.zeros((4, 28, 28, 1))).graph
    before_relu = [op.inputs[0].op.type for op in graph.get_operations() if op.type == "Relu"]
    assert len(before_relu) == 6, "every layer but the last of each network and mu and logvar"
    assert "BiasAdd" not in before_relu


def test_tensorflow_draws_nothing_but_normal_floats_and_nothing_is_read_that_may_hold_code():
    # What code of the course must not say, and why not.
    forbidden = {
        r"tf\.random\.(?!set_seed\b)": "broken on Metal; draw with NumPy or keras.random.normal",
        r"(?:keras|ops)\.random\.(?!(?:normal|SeedGenerator)\b)": "on Metal only float normals are right",
        r"jit_compile=(?!False)": "Metal has no XLA compiler",
        r"(?<!\bre)(?<!typst)\.compile\((?!.*(?:jit_compile|run_eagerly)=)": "Keras then chooses XLA by the machine",
        r"(?:load|save)_(?:model|weights)\b|\bh5py\.|\bpickle\.|allow_pickle=True": "CVE-2025-1550, CVE-2026-1669",
        r"\bssl\.|import ssl\b|unverified|verify ?= ?False": "certificates are always checked",
    }
    for path in (*machine.ROOT.glob("*.py"), *machine.ROOT.glob("tools/*.py"), *machine.ROOT.glob("notebooks/*.*")):
        text = path.read_text(encoding="utf-8")
        for pattern, reason in forbidden.items():
            assert not re.search(pattern, text), f"{path.name}: {reason}"


def history_of(train, folder):
    return train(cache_dir=folder)[1]


def test_processes_that_train_at_once_agree_to_the_last_bit_and_with_what_is_loaded(x, train, tmp_path, capsys):
    train = partial(train, x, x[:130], epochs=2)
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        there = [pool.submit(history_of, train, tmp_path / "shared") for _ in range(2)]
        here, history = train(cache_dir=tmp_path / "own")
        assert [process.result() for process in there] == [history, history]
    assert [path.suffix for path in (tmp_path / "shared").iterdir()] == [".npz"]
    loaded, again = train(cache_dir=tmp_path / "shared")
    assert "Loaded the model trained earlier: bernoulli, 2 latents, beta 1, 2 epochs" in capsys.readouterr().out
    assert again == history
    np.testing.assert_array_equal(here.encoder(x), loaded.encoder(x), "mu, logvar and the next draw")


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_write_that_fails_or_is_killed_leaves_what_was_there(step, tmp_path, monkeypatch):
    def fail(*_):
        assert path.read_bytes() == b"old", "after a kill at this moment"
        raise OSError("no space left on device")

    path = tmp_path / "old.npz"
    path.write_bytes(b"old")
    monkeypatch.setattr(machine.os, step, fail)
    with pytest.raises(OSError, match="no space"):
        machine.write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def on_one_device_and_on_two(x, small):
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    # z = mu, for the replicas draw noise of their own; and plain descent, for Adam's first step is nearly the
    # gradient's sign, which rounding flips where the gradient vanishes. Then both must do the same.
    vh.Sampling.call = lambda self, inputs: 1.0 * inputs[0]
    keras.optimizers.Adam = keras.optimizers.SGD
    found = []
    for scope in (contextlib.nullcontext(), tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope()):
        with scope:
            vae = vh.build_vae(**small)
            history = vh.fit(vae, x, x[:130], epochs=2, batch_size=len(x), learning_rate=1e-3)
        found.append((history, np.concatenate([weights.ravel() for weights in vae.get_weights()])))
    return found


def test_two_devices_train_like_one(x, small):
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        (history, weights), (history_2, weights_2) = pool.submit(on_one_device_and_on_two, x[:256], small).result()
    np.testing.assert_allclose(weights_2, weights, rtol=1e-5, atol=1e-6, err_msg="gradients not scaled by replicas")
    # Keras 3.6 trains alike, but reports what the first replica has seen.
    rtol = 0.05 if machine.numbers(keras.__version__) < (3, 7) else 1e-4
    for name in history:
        np.testing.assert_allclose(history_2[name], history[name], rtol=rtol, err_msg=name)
