"""The course around the model: the parameters that a reader may change, and numbers compared with those of other seeds.

    begin     opens a section: look of the figures, versions and device, the parameters and what they mean for the text
    compare   prints a number beside those of other seeds; only the tests, with VAE_STRICT=1, turn a surprise into an
    error

The values that `compare` knows stand in notebooks/expected.json, written by benchmarks/seeds.py, which runs the
notebooks.
"""

import json
import math
import numbers
import os
import platform
from pathlib import Path
from typing import Any

from machine import ROOT, choose_device, describe_environment
from vae_plots import use_course_style

# What the parameters cell of a section may hold, with the course's own values.
PARAMETERS: dict[str, Any] = {
    "USE_FIRST_10K": True,
    "LIKELIHOOD": "bernoulli",
    "LATENT_DIM": 2,
    "BETA": 1.0,
    "EPOCHS": 8,
    "SEED": 42,
}
EXPECTED = ROOT / "notebooks" / "expected.json"
RESTORE = "Restore it with `git checkout -- notebooks/expected.json`."

_section: dict[str, Any] = {"name": None, "namespace": {}}


def _is_integer(least: int, value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool) and value >= least


_ALLOWED = {
    "USE_FIRST_10K": ("True or False", lambda v: isinstance(v, bool)),
    "LIKELIHOOD": ('"bernoulli" or "gaussian"', lambda v: v in ("bernoulli", "gaussian")),
    "LATENT_DIM": ("an integer of at least 1", lambda v: _is_integer(1, v)),
    "BETA": ("a number of at least 0", lambda v: isinstance(v, numbers.Real) and 0 <= v < math.inf),
    "EPOCHS": ("an integer of at least 1", lambda v: _is_integer(1, v)),
    "SEED": ("an integer from 0 to 4294967295", lambda v: _is_integer(0, v) and v < 2**32),
}


def check_parameters(parameters: dict[str, Any]) -> None:
    """Refuse a parameter that does not exist or has a value that cannot be used, with the list of those that can.

    Raises:
        ValueError: with all names and what each may be.
    """
    for name, value in parameters.items():
        if name not in _ALLOWED or not _ALLOWED[name][1](value):
            what = f"{name} = {value!r} cannot be used." if name in _ALLOWED else f"There is no parameter {name}."
            choices = "\n".join(f"    {known:14} {words}" for known, (words, _) in _ALLOWED.items())
            raise ValueError(f"{what} The parameters and what each may be:\n{choices}")


def _turned() -> dict[str, Any]:
    """Return the parameters of this section, as they are now, that differ from the course's."""
    namespace = _section["namespace"]
    return {n: namespace[n] for n, course in PARAMETERS.items() if n in namespace and namespace[n] != course}


def begin(section: str, namespace: dict[str, Any] | None = None) -> None:
    """Open `section`, as "4.3.06": set the look of figures, print versions and device, and check the parameters.

    `namespace` is the notebook's `globals()`: those of `PARAMETERS` that it holds are the section's, and `compare`
    reads them as they are when it is called. Where one differs from the course's, a line says what that means for the
    text.

    Raises:
        ValueError: a parameter has a value that cannot be used.
    """
    _section.update(name=section, namespace=namespace or {})
    check_parameters({name: value for name, value in (namespace or {}).items() if name in PARAMETERS})
    use_course_style()
    describe_environment()
    if turned := _turned():
        now = ", ".join(f"{name} = {value!r} (the course: {PARAMETERS[name]!r})" for name, value in turned.items())
        print(f"You changed {now}. Numbers in the text are those of the course's settings.")


def _strict() -> bool:
    return os.environ.get("VAE_STRICT") == "1"


def _known(section: str, name: str, turned: dict[str, Any]) -> tuple[str, float, float, str] | None:
    """Return the other seeds' range in words, low and high for this run, and what it means to lie outside.

    The course's own seed has a range of its own on Linux x86-64 and its CPU. None: nobody knows this name.

    Raises:
        ValueError: the file of expected values is missing or damaged.
    """
    linux = (platform.system(), platform.machine()) == ("Linux", "x86_64")
    own = not turned and linux and choose_device().startswith("CPU")
    try:
        known = json.loads(EXPECTED.read_text(encoding="utf-8"))["sections"].get(section, {}).get(name)
        if known is None:
            return None
        others = [v for seed, v in known["values"].items() if seed != str(PARAMETERS["SEED"])]
        reach = f"{len(others)} other seeds: {min(others):.4g} to {max(others):.4g}"
        low, high = map(float, known["course" if own else "seeds"])
    except OSError as error:
        raise ValueError(f"{EXPECTED.name} cannot be read ({error.strerror}). {RESTORE}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{EXPECTED.name} is damaged. {RESTORE}") from error
    return reach, low, high, "something differs from the course" if own else "one seed in a hundred ends there"


def compare(name: str, value: float, unit: str = "") -> None:
    """Print `value` beside the range of the course's other seeds; a value out of the ordinary is said in words.

    It never raises in a student's session. With the environment variable VAE_STRICT=1, as the tests set it, a value at
    the course's settings must lie in the range that benchmarks/seeds.py found, and every name must be known.

    Raises:
        AssertionError: under VAE_STRICT=1 alone.
    """
    section, turned, collect = _section["name"], _turned(), os.environ.get("VAE_COLLECT")
    try:
        value = float(value)
    except (TypeError, ValueError):
        if _strict():
            raise AssertionError(f"Section {section}, {name}: {value!r} is not one number.") from None
        print(f"{name}: {value!r} is not one number, so there is nothing to compare.")
        return
    if collect:
        with Path(collect).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"section": section, "name": name, "value": value, "unit": unit}) + "\n")
    shown = f"{name}: {value:.4g} {unit}".rstrip()
    known, problem, said = None, f"section {section} has no number {name!r} in {EXPECTED.name}.", ""
    try:
        known = _known(section, name, turned)
    except ValueError as error:
        problem, said = str(error), f"   ({error})"
    if not known:
        print(shown + said)
        if _strict() and not collect:
            raise AssertionError(f"{problem} Run: python benchmarks/seeds.py {section}")
        return
    reach, low, high, outside = known
    usual = low <= value <= high
    if set(turned) - {"SEED"}:
        print(f"{shown}   (the course's settings, {reach})")
    elif usual:
        print(f"{shown}   ({reach})")
    else:
        print(f"{shown}   ({reach}: outside what we expect, {low:.4g} to {high:.4g}: {outside})")
    if _strict() and not turned and not usual and not collect:
        raise AssertionError(
            f"Section {section}, {name}: {value:.6g} {unit} is outside {low:.6g} to {high:.6g}, "
            f"where we expect this seed to end. What changed this number? "
            f"If the change is wanted: python benchmarks/seeds.py {section}"
        )
