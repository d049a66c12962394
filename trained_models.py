"""Trained models on disk: a file's name depends on all that changes the result, so that it answers for nothing else."""

import hashlib
import inspect
import json
import numbers
import os
import uuid
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import machine
from fashion_mnist import array_digest


@cache
def _source(part: Callable | type) -> str:
    """Return the text of a function or class of the helper; of any other, a text that no other run has."""
    own = getattr(part, "__module__", "") == "vae_helpers" and not hasattr(part, "__wrapped__")
    return inspect.getsource(part) if own else uuid.uuid4().hex  # others may hide a closure or a default


def remember(code: Sequence[Callable | type]) -> None:
    """Read the text of `code` now: an edited file counts from the next start of the kernel on, as for Python."""
    for part in code:
        _source(part)


def _plain(value: Any) -> Any:
    """Return a setting in one way of writing: 1, 1.0 and np.int64(1) alike, a schedule of Keras as its numbers."""
    if isinstance(value, dict):
        return {name: _plain(v) for name, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if type(value).__module__.startswith("keras."):
        return [type(value).__name__, _plain(value.get_config())]
    return float(value) if isinstance(value, numbers.Real) and not isinstance(value, bool) else value


def key(settings: dict[str, Any], images: Sequence[np.ndarray | None], code: Sequence[Callable | type]) -> str:
    """Return a digest of settings, images, versions, kind of device, and code; a function among the settings is new."""
    parts = {
        "settings": _plain(settings),
        "images": [None if x is None else array_digest(x) for x in images],
        "versions": [tf.__version__, keras.__version__, np.__version__, machine.choose_device()[:3]],
        "code": [_source(part) for part in code],
    }
    text = json.dumps(parts, sort_keys=True, default=lambda _: uuid.uuid4().hex)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read(path: Path) -> tuple[list[np.ndarray], dict[str, list[float]]]:
    """Return weights and history that `write` has written.

    Raises:
        ValueError: the file is damaged or of another kind.
    """
    arrays = machine.load_arrays(path)
    try:
        history = json.loads(str(arrays.pop("history")))
    except KeyError as error:
        raise ValueError("it holds no history") from error
    return [arrays[name] for name in sorted(arrays)], history


def set_aside(path: Path, error: Exception) -> None:
    """Keep a file that cannot be used under another name, so that it is neither loaded again nor lost, and say so."""
    print(f"{path.name} is damaged or holds another model ({error}).")
    aside = path.with_suffix(f".{uuid.uuid4().hex[:8]}.damaged")
    try:
        os.replace(path, aside)
        print(f"It is kept as {aside.name}. Training again.")
    except OSError as refusal:
        print(f"It cannot be renamed ({refusal.strerror}). Training again.")


def write(path: Path, weights: Sequence[np.ndarray], history: dict[str, list[float]]) -> None:
    """Write a trained model, whole or not at all; a folder that cannot be written is said, and costs nothing else."""
    arrays = {f"weight_{i:04}": w for i, w in enumerate(weights)} | {"history": np.array(json.dumps(history))}
    try:
        machine.save_arrays(path, arrays)
    except OSError as error:
        print(f"The trained model is in memory, but could not be saved in {path.parent} ({error.strerror}).")
