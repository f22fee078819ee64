"""The command line as a whole: help, versions, errors in one line."""

import pytest

import app
from app.cli import main as cli

COMMANDS = (
    *("run", "serve", "worker", "migrate", "demo", "import"),
    *("verify", "openapi", "erase", "keys", "rates", "stop"),
)


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(list(arguments))
    return int(str(ended.value.code or 0))


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]):
    assert run("--help") == 0
    text = capsys.readouterr().out
    for name in COMMANDS:
        assert f" {name} " in text


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]):
    assert run(command, "--help") == 0
    assert "Usage" in capsys.readouterr().out


def test_the_version(capsys: pytest.CaptureFixture[str]):
    assert run("--version") == 0
    assert capsys.readouterr().out.strip() == app.__version__


def test_a_command_that_does_not_exist(capsys: pytest.CaptureFixture[str]):
    assert run("fly") == 2
    assert "fly" in capsys.readouterr().err


def test_an_error_of_others_names_its_type(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    def broken() -> None:
        raise KeyError("lost")

    monkeypatch.setattr(cli, "make_cli", lambda: lambda *arguments, **named: broken())
    assert run("run") == 1
    assert capsys.readouterr().err.startswith("error: KeyError: 'lost'")
