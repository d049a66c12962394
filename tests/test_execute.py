"""What `make run` executes: what is stored, what is printed, parameters, and the first failing cell."""

import re
import time

import execute
import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Execute notebooks given by their code cells, the second of them the parameters; return status and results."""
    monkeypatch.setattr(execute, "ROOT", tmp_path)
    monkeypatch.setattr(execute, "NOTEBOOKS", tmp_path / "notebooks")
    (tmp_path / "notebooks").mkdir()

    def run(*notebooks, **given):
        for number, sources in enumerate(notebooks, 4):
            cells = [new_markdown_cell("# A title"), *map(new_code_cell, sources)]
            if len(sources) > 1:
                cells[2].metadata["tags"] = ["parameters"]
            kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
            notebook = new_notebook(cells=cells, metadata={"kernelspec": kernel})
            nbformat.write(notebook, tmp_path / "notebooks" / f"4.3.{number:02}_a.ipynb")
        status = execute.execute_all(tmp_path / "out", (), given)
        return status, [nbformat.read(path, as_version=4) for path in sorted((tmp_path / "out").glob("*"))]

    return run


def test_a_fresh_kernel_that_imports_the_helper_writes_no_log():
    notebook = new_notebook(cells=[new_code_cell("import vae_helpers as vh\nvh.describe_environment()")])
    NotebookClient(notebook, resources={"metadata": {"path": execute.ROOT}}).execute()
    (output,) = notebook.cells[0].outputs
    assert output.name == "stdout"
    assert "TensorFlow" in output.text


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
    assert re.search(r"^\[ 1 of 1\] 4\.3\.04_a +\d+ s\n(?s:.*)^1 of 1 notebooks ran", printed.out, flags=re.M)


def test_parameters_reach_the_notebooks_that_hold_them(run):
    notebooks = (
        ["1", "SEED = 42", "print(SEED)"],
        ["LATENT_DIM = 2\nprint(LATENT_DIM)"],
        ["1", 'LATENT_DIM = 2\nLIKELIHOOD = "bernoulli"', "print(LATENT_DIM, LIKELIHOOD)"],
    )
    status, results = run(*notebooks, LATENT_DIM="8", LIKELIHOOD="gaussian")
    assert status == 0
    assert [notebook.cells[-1].outputs[0].text for notebook in results] == ["42\n", "2\n", "8 gaussian\n"]


def test_a_parameter_that_cannot_be_used_is_refused_before_anything_runs(run, capsys):
    assert run(["1", "LATENT_DIM = 2"], LATENT_DIM="many") == (2, [])
    assert "LATENT_DIM = 'many' cannot be used" in capsys.readouterr().out
    assert run(["1", "LATENT_DIM = 2"], BETA="2") == (2, [])
    assert "No notebook has BETA" in capsys.readouterr().out
    assert execute.execute_all(execute.NOTEBOOKS, (), {"LATENT_DIM": "3"}) == 2
    assert "In place, notebooks keep the course's parameters" in capsys.readouterr().out


def test_the_failing_cell_and_its_reason_are_told_in_ten_lines(run, capfd):
    long = "\n".join(f"x{i} = {i}" for i in range(30))
    reason = "\\n".join(f"line {i}" for i in range(20))
    fails = ["1", "2", f"def f():\n    raise ValueError('{reason}')\n\n\n{long}\nf()\n{long}"]
    status, results = run(["1"], ["import time\ntime.sleep(5)"], fails)
    printed = capfd.readouterr()
    first, *lines, last, beside = printed.out.strip().splitlines()
    assert (status, printed.err) == (1, "")
    assert re.match(r"\[ 3 of 3\] 4\.3\.06_a +failed after \d+ s", first)
    assert last == "notebooks/4.3.06_a.ipynb was not written. Open it with `make lab` and run it to that cell."
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
    assert run(["one"], ["two"], ["trains"], ["loads"])[0] == 0
    assert "trains begins" in events[:2], "the longest goes first, of two at a time"
    assert events.index("trains ends") < events.index("loads begins")
