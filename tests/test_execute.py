"""What `make run` executes: what is stored, what is printed, parameters, and the first failing cell."""

import re
import time
from pathlib import Path

import execute
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).parents[1]
KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Execute notebooks given by their code cells, the second of them the parameters; return status and results."""
    monkeypatch.setattr(execute, "ROOT", tmp_path)
    monkeypatch.setattr(execute, "NOTEBOOKS", tmp_path / "notebooks")
    monkeypatch.delenv("VAE_STRICT", raising=False)
    for folder in ("notebooks", "trained"):
        (tmp_path / folder).mkdir()

    def run(*notebooks, first=1, **given):
        for number, sources in enumerate(notebooks, first):
            cells = [new_markdown_cell("# A title"), *map(new_code_cell, sources)]
            if len(sources) > 1:
                cells[2].metadata["tags"] = ["parameters"]
            nbformat.write(
                new_notebook(cells=cells, metadata=KERNEL), tmp_path / "notebooks" / f"4.3.{number:02}_a.ipynb"
            )
        status = execute.execute_all(tmp_path / "out", (), given)
        return status, [nbformat.read(path, as_version=4) for path in sorted((tmp_path / "out").glob("*"))]

    return run


def test_a_fresh_kernel_that_imports_the_helper_writes_no_log(run, monkeypatch, capfd):
    raw, clean = [], execute.clean

    def keep(notebook):
        raw.extend(output.get("name") for cell in notebook.cells for output in cell.get("outputs", []))
        return clean(notebook)

    monkeypatch.setattr(execute, "clean", keep)
    importing = f"import sys\nsys.path.insert(0, {str(ROOT)!r})\nimport vae_helpers as vh\nvh.describe_environment()"
    status, (notebook,) = run([importing])
    printed = capfd.readouterr()
    assert (status, raw, printed.err) == (0, ["stdout"], ""), "the import is silent, nothing had to be removed"
    assert len(printed.out.splitlines()) == 2
    assert "TensorFlow" in notebook.cells[1].outputs[0].text


def test_what_is_stored_belongs_to_no_run_and_no_machine(run, capfd):
    noise = "2026-01-01 10:00:00.123456: I tensorflow/core/util/port.cc:153] oneDNN custom operations are on."
    log = f"import os, sys, warnings\nos.write(2, b'{noise}\\n')\nsys.stderr.write('{noise}\\n')"
    status, (notebook,) = run([f"{log}\nwarnings.warn('look here')\nprint('one')", "SEED = 42", "print(SEED)\n1"])
    code = notebook.cells[1:]
    outputs = [output.get("name", output.output_type) for cell in code for output in cell.outputs]
    assert status == 0
    assert [cell.execution_count for cell in code] == [1, 2, 3]
    assert outputs == ["stdout", "stdout", "execute_result"]
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert [dict(cell.metadata) for cell in notebook.cells] == [{}, {}, {"tags": ["parameters"]}, {}]
    printed = capfd.readouterr()
    assert "look here" in printed.out, "what Python says is told, once"
    assert "oneDNN" not in printed.out + printed.err
    assert re.search(r"^\[ 1 of 1\] 4\.3\.01_a +\d+ s$", printed.out, flags=re.M)


def test_parameters_reach_the_notebooks_that_hold_them(run):
    notebooks = (
        ["1", "SEED = 42", "print(SEED)"],
        ["LATENT_DIM = 2\nprint(LATENT_DIM)"],
        ["1", 'LATENT_DIM = 2\nLIKELIHOOD = "bernoulli"', "print(LATENT_DIM, LIKELIHOOD)"],
    )
    status, results = run(*notebooks, LATENT_DIM="8", LIKELIHOOD="gaussian")
    assert status == 0
    assert [notebook.cells[-1].outputs[0].text for notebook in results] == ["42\n", "2\n", "8 gaussian\n"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"LATENT": "8"}, "There is no parameter LATENT"),
        ({"LATENT_DIM": "many"}, "LATENT_DIM = 'many' cannot be used"),
        ({"BETA": "2"}, "No notebook has BETA"),
    ],
)
def test_a_parameter_that_cannot_be_used_is_refused_before_anything_runs(run, given, words, capsys):
    assert run(["1", "LATENT_DIM = 2"], **given) == (2, [])
    assert words in capsys.readouterr().out


def test_the_failing_cell_and_its_reason_are_told_in_ten_lines(run, capfd):
    long = "\n".join(f"x{i} = {i}" for i in range(30))
    reason = "\\n".join(f"line {i}" for i in range(20))
    fails = ["1", "2", f"def f():\n    raise ValueError('{reason}')\n\n\n{long}\nf()\n{long}"]
    status, results = run(fails, ["import time\ntime.sleep(5)"], ["1"], first=7)
    printed = capfd.readouterr()
    first, *lines, last, beside = printed.out.strip().splitlines()
    assert (status, printed.err) == (1, "")
    assert re.match(r"\[ 1 of 3\] 4\.3\.07_a +failed after \d+ s", first)
    assert last == "notebooks/4.3.07_a.ipynb was not written. Open it with `make lab` and run it to that cell."
    assert len(lines) <= 10
    assert lines[0] == "Cell 3:"
    assert any(re.search(r"-> +\d+ f\(\)", line) for line in lines), "the line that failed"
    assert "ValueError: line 0" in lines
    assert beside.startswith("[ 2 of 3]"), "the one that ran beside it comes to its end"
    assert len(results) == 1, "and no further one starts"


def test_a_syntax_error_is_told_too(run, capfd):
    assert run(["x = (1,\nprint(x"])[0] == 1
    assert "SyntaxError" in capfd.readouterr().out


def test_later_sections_wait_for_the_models_of_those_before(run, monkeypatch):
    events = []

    def execute_notebook(notebook, *_, **__):
        name = notebook.cells[1].source
        events.append(f"{name} begins")
        time.sleep(0.5 if name == "trains" else 0.02)
        events.append(f"{name} ends")
        return notebook

    monkeypatch.setattr(execute, "execute_notebook", execute_notebook)
    assert run(["one"], ["two"], ["trains"], ["loads"], first=4)[0] == 0
    assert events[0] == "trains begins", "the longest goes first"
    assert events.index("trains ends") < events.index("loads begins")
