"""docs/security.md names tests that there are, for each of OWASP's ten."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE)))
TEN = re.findall(r"^\*\*API(\d+): (.+?)\.\*\*(.+?)(?=^\*\*API|^## )", PAGE, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_a_named_test_is_there(file: str, name: str):
    tree = ast.parse((ROOT / file).read_text())
    tests = {one.name for one in ast.walk(tree) if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert not name or name in tests


def test_each_of_the_ten_has_a_test():
    assert [int(number) for number, _, _ in TEN] == list(range(1, 11))
    for _, title, text in TEN:
        assert re.search(r"`tests/[\w/]+\.py::", text), title


def test_one_can_report():
    assert "Reporting" in (ROOT / "SECURITY.md").read_text()
    assert "SECURITY.md" in PAGE
