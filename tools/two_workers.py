"""Train the same model on two devices of one process and on two workers, and print the losses side by side.

    python tools/two_workers.py

Both workers run on this machine and talk over localhost; on several machines, TF_CONFIG names them instead. The draws
are switched off (z = mu), because each device draws its own: what is left must agree. CONTRIBUTING.md: "Several GPUs".
"""

import json
import os
import socket
import sys
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def train(worker: int | None, ports: list[int]) -> list[float]:
    """Return the losses of two epochs on 256 images: as one of two workers, or, for None, on two devices."""
    if worker is not None:
        cluster = {"worker": [f"localhost:{port}" for port in ports]}
        os.environ["TF_CONFIG"] = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": worker}})
    import vae_helpers as vh
    import tensorflow as tf

    vh.choose_device("cpu")  # on every machine, so that two workers do not share one GPU
    if worker is not None:
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    else:
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
        strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    vh.Sampling.call = lambda self, inputs: 1.0 * inputs[0]
    x = vh.load_fashion_mnist()[0][0][:256]
    with strategy.scope():
        history = vh.fit(vh.build_vae(), x, x[:130], epochs=2, learning_rate=1e-3)
    return history["loss"] + history["val_loss"]


if __name__ == "__main__":
    with socket.create_server(("localhost", 0)) as one, socket.create_server(("localhost", 0)) as other:
        ports = [server.getsockname()[1] for server in (one, other)]
    with get_context("spawn").Pool(3) as pool:
        losses = pool.starmap_async(train, [(worker, ports) for worker in (None, 0, 1)], chunksize=1).get(timeout=300)
    print("Loss, then held-out loss, of two epochs, nats per image:")
    for name, row in zip(("two devices", "worker 0", "worker 1"), losses, strict=True):
        print(f"{name:12}", *(f"{loss:8.3f}" for loss in row))
    # Sums are taken in another order, and Adam's first steps are nearly the gradient's sign: so one per cent.
    agree = all(max(same) <= 1.01 * min(same) for same in zip(*losses, strict=True))
    print("They agree." if agree else "They do not agree.")
    sys.exit(0 if agree else 1)
