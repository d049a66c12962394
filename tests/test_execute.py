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
def write(tmp_path, monkeypatch):
    """Write a notebook with these code cells, the second of them its parameters, where notebooks are looked for."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "trained").mkdir()
    monkeypatch.setattr(execute, "ROOT", tmp_path)
    monkeypatch.setattr(execute, "NOTEBOOKS", tmp_path / "notebooks")
    monkeypatch.delenv("VAE_STRICT", raising=False)

    def write(name, *sources):
        cells = [new_markdown_cell("# A title"), *map(new_code_cell, sources)]
        if len(sources) > 1:
            cells[2].metadata["tags"] = ["parameters"]
        nbformat.write(new_notebook(cells=cells, metadata=KERNEL), tmp_path / "notebooks" / name)
        return tmp_path / "notebooks" / name

    return write


def stored(folder, name):
    return nbformat.read(folder / name, as_version=4)


def test_a_fresh_kernel_that_imports_the_helper_writes_no_log(write, tmp_path, monkeypatch, capfd):
    importing = f"import sys\nsys.path.insert(0, {str(ROOT)!r})\nimport vae_helpers as vh"
    path = write("4.3.01_a.ipynb", f"{importing}\nvh.describe_environment()")
    raw, clean = [], execute.clean

    def keep(notebook):
        raw.extend(output for cell in notebook.cells for output in cell.get("outputs", []))
        return clean(notebook)

    monkeypatch.setattr(execute, "clean", keep)
    assert execute.execute_all(tmp_path / "out") == 0
    assert {output.name for output in raw} == {"stdout"}, "the helper's import is silent, nothing had to be removed"
    printed = capfd.readouterr()
    assert len(printed.out.splitlines()) == 2
    assert printed.err == ""
    assert "TensorFlow" in stored(tmp_path / "out", path.name).cells[1].outputs[0].text


def test_what_is_stored_belongs_to_no_run_and_no_machine(write, tmp_path, capfd):
    noise = "2026-01-01 10:00:00.123456: I tensorflow/core/util/port.cc:153] oneDNN custom operations are on."
    log = f"import os, sys, warnings\nos.write(2, b'{noise}\\n')\nsys.stderr.write('{noise}\\n')"
    write("4.3.01_a.ipynb", f"{log}\nwarnings.warn('look here')\nprint('one')", "SEED = 42", "print(SEED)\n1")
    assert execute.execute_all(tmp_path / "out") == 0
    notebook = stored(tmp_path / "out", "4.3.01_a.ipynb")
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == [1, 2, 3]
    assert [output.get("name", output.output_type) for cell in code for output in cell.outputs] == [
        "stdout",
        "stdout",
        "execute_result",
    ]
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert [dict(cell.metadata) for cell in notebook.cells] == [{}, {}, {"tags": ["parameters"]}, {}]
    printed = capfd.readouterr()
    assert "look here" in printed.out, "what Python says is told, once"
    assert "oneDNN" not in printed.out + printed.err
    assert re.search(r"^\[ 1 of 1\] 4\.3\.01_a +\d+ s$", printed.out, flags=re.M)


def test_parameters_reach_the_notebooks_that_hold_them(write, tmp_path):
    write("4.3.01_a.ipynb", "1", "SEED = 42", "print(SEED)")
    write("4.3.02_b.ipynb", "LATENT_DIM = 2\nprint(LATENT_DIM)")
    write("4.3.03_c.ipynb", "1", 'LATENT_DIM = 2\nLIKELIHOOD = "bernoulli"', "print(LATENT_DIM, LIKELIHOOD)")
    assert execute.execute_all(tmp_path / "out", (), {"LATENT_DIM": "8", "LIKELIHOOD": "gaussian"}) == 0
    last = [
        stored(tmp_path / "out", path.name).cells[-1].outputs[0].text for path in sorted((tmp_path / "out").iterdir())
    ]
    assert last == ["42\n", "2\n", "8 gaussian\n"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"LATENT": "8"}, "There is no parameter LATENT"),
        ({"LATENT_DIM": "many"}, "LATENT_DIM = 'many' cannot be used"),
        ({"BETA": "2"}, "No notebook has BETA"),
    ],
)
def test_a_parameter_that_cannot_be_used_is_refused_before_anything_runs(write, tmp_path, given, words, capsys):
    write("4.3.01_a.ipynb", "1", "LATENT_DIM = 2")
    assert execute.execute_all(tmp_path / "out", (), given) != 0
    assert words in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def test_the_failing_cell_and_its_reason_are_told_in_ten_lines(write, tmp_path, capfd):
    long = "\n".join(f"x{i} = {i}" for i in range(30))
    reason = "\\n".join(f"line {i}" for i in range(20))
    write("4.3.01_a.ipynb", "1", "2", f"def f():\n    raise ValueError('{reason}')\n\n\n{long}\nf()\n{long}")
    write("4.3.02_b.ipynb", "import time\ntime.sleep(5)")
    write("4.3.03_c.ipynb", "1")
    assert execute.execute_all(tmp_path / "out") == 1
    printed = capfd.readouterr()
    assert printed.err == ""
    first, *lines, last, beside = printed.out.strip().splitlines()
    assert re.match(r"\[ 1 of 3\] 4\.3\.01_a +failed after \d+ s", first)
    assert last == "notebooks/4.3.01_a.ipynb was not written. Open it with `make lab` and run it to that cell."
    assert len(lines) <= 10
    assert lines[0] == "Cell 3:"
    assert any(re.search(r"-> +\d+ f\(\)", line) for line in lines), "the line that failed"
    assert "ValueError: line 0" in lines
    assert beside.startswith("[ 2 of 3]"), "the one that ran beside it comes to its end"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["4.3.02_b.ipynb"], "and no further one starts"


def test_the_training_goes_first_and_later_sections_wait_for_its_models(write, tmp_path, monkeypatch):
    events = []

    def run(source, *_):
        events.append(f"{source.name[:6]} begins")
        time.sleep(0.5 if "06" in source.name else 0.02)
        events.append(f"{source.name[:6]} ends")
        return []

    monkeypatch.setattr(execute, "execute", run)
    for name in ("4.3.01_a", "4.3.02_b", "4.3.06_training", "4.3.07_c"):
        write(f"{name}.ipynb", "1")
    assert execute.execute_all(tmp_path / "out") == 0
    assert "4.3.06 begins" in events[:2]
    assert events.index("4.3.06 ends") < events.index("4.3.07 begins")


def test_a_syntax_error_is_told_too(write, tmp_path, capfd):
    write("4.3.01_a.ipynb", "x = (1,\nprint(x")
    assert execute.execute_all(tmp_path / "out") == 1
    assert "SyntaxError" in capfd.readouterr().out
