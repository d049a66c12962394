"""The mistakes that tools/planted_bugs.py plants still fit the code."""

import re
import shlex

import planted_bugs
import pytest


@pytest.mark.parametrize("bug", planted_bugs.BUGS, ids=lambda bug: bug["name"])
def test_a_planted_mistake_applies_exactly_once_and_its_check_selects_what_there_is(bug):
    assert planted_bugs.planted(bug)[0] == 1, f"{bug['file']} holds {bug['old']!r} not once: update planted_bugs.json"
    file, *selected = shlex.split(bug["check"])
    (path,) = [*planted_bugs.ROOT.glob(file), *planted_bugs.ROOT.glob(f"notebooks/{file}_*.ipynb")]
    words = set(" ".join(selected).split()) - {"-k", "or"}
    text = path.read_text(encoding="utf-8")
    assert all(re.search(rf"def test_\w*{word}|ids=.*{word}", text) for word in words)
