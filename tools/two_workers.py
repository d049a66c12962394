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


def train() -> dict[str, list[float]]:
    """Train for two epochs on 256 images: on two workers where TF_CONFIG names them, else on two devices."""
    sys.path.insert(0, str(ROOT))
    import vae_helpers as vh
    import tensorflow as tf

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


def main() -> int:
    """Start the three processes, print their losses, and return 1 if they differ by more than rounding explains."""
    free = [socket.create_server(("localhost", 0)) for _ in range(2)]
    cluster = {"worker": [f"localhost:{server.getsockname()[1]}" for server in free]}
    for server in free:
        server.close()
    places = [{"cluster": cluster, "task": {"type": "worker", "index": index}} for index in range(2)]
    environments = [{}, *({"TF_CONFIG": json.dumps(place)} for place in places)]
    command, output = [sys.executable, __file__, "train"], {"stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, env=os.environ | changes, **output) for changes in environments]
    losses = []
    try:
        for name, process in zip(("two devices", "worker 0", "worker 1"), processes, strict=True):
            history = json.loads(process.communicate(timeout=300)[0].splitlines()[-1])
            losses.append(history["loss"] + history["val_loss"])
            row = "  ".join(f"{loss:8.3f}" for loss in losses[-1])
            print(f"{name:12} loss, then held-out loss, of two epochs: {row}  nats per image", flush=True)
    finally:
        for process in processes:
            process.kill()
    # Sums are taken in another order, and Adam's first steps are nearly the gradient's sign: so one per cent.
    agree = all(max(same) <= 1.01 * min(same) for same in zip(*losses, strict=True))
    print("They agree." if agree else "They do not agree.")
    return 0 if agree else 1


if __name__ == "__main__":
    if sys.argv[1:]:
        print(json.dumps(train()))
    else:
        sys.exit(main())
