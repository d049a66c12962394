"""Train the same model on two devices of one process and on two workers, and print the losses side by side.

    python tools/two_workers.py

Both workers run on this machine and talk over localhost; on several machines, TF_CONFIG names them instead. The draws
are switched off (z = mu), because each device draws its own: what is left must agree. CONTRIBUTING.md: "Several GPUs".
"""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))


def train() -> dict[str, list[float]]:
    """Train for two epochs on 256 images: on two workers where TF_CONFIG names them, else on two devices."""
    import tensorflow as tf

    import vae_helpers as vh

    vh.choose_device("cpu")  # on every machine, so that two workers do not share one GPU
    if "TF_CONFIG" in os.environ:
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    else:
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
        strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    vh.Sampling.call = lambda self, inputs: 1.0 * inputs[0]
    x = vh.load_fashion_mnist()[0][0][:256]
    with strategy.scope():
        return vh.fit(vh.build_vae(), x, x[:130], epochs=2, learning_rate=1e-3)


def free_port() -> int:
    """Return a port of localhost that nobody uses now."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        return free.getsockname()[1]


def main() -> int:
    """Start the three processes, print their losses, and return 1 if they differ by more than rounding explains."""
    cluster = {"worker": [f"localhost:{free_port()}" for _ in range(2)]}
    processes = {}
    for name, index in (("two devices", None), ("worker 0", 0), ("worker 1", 1)):
        place = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})
        environment = os.environ | ({} if index is None else {"TF_CONFIG": place})
        command, pipe = [sys.executable, __file__, "train"], subprocess.PIPE
        processes[name] = subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True)
    losses = []
    try:
        for name, process in processes.items():
            output, errors = process.communicate(timeout=300)
            if process.returncode:
                print(f"{name} failed: {errors.strip()[-500:]}")
                return 1
            history = json.loads(output.splitlines()[-1])
            losses.append(history["loss"] + history["val_loss"])
            row = "  ".join(f"{loss:8.3f}" for loss in losses[-1])
            print(f"{name:12} loss, then held-out loss, of two epochs: {row}  nats per image", flush=True)
    finally:
        for process in processes.values():
            process.kill()
    devices, *workers = losses
    # Sums are taken in another order, and Adam's first steps are nearly the gradient's sign: so one per cent.
    agree = all(abs(a - b) <= 0.01 * b for worker in workers for a, b in zip(worker, devices, strict=True))
    print("They agree." if agree else "They do not agree.")
    return 0 if agree else 1


if __name__ == "__main__":
    if sys.argv[1:]:
        print(json.dumps(train()))
    else:
        sys.exit(main())
