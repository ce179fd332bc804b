from __future__ import annotations

import importlib

import click
import pytest

from testbed import cli


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stop:
        cli.main(list(arguments))
    assert isinstance(stop.value.code, int)
    return stop.value.code


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_listed_command_is_there_and_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    module = importlib.import_module(f"testbed.commands.{name.replace('-', '_')}")
    assert isinstance(module.command, click.Command)
    assert run(name, "--help") == 0
    assert "Usage:" in capsys.readouterr().out


def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == 0
    out = capsys.readouterr().out
    assert all(name in out for name in cli.COMMANDS)


def test_an_unknown_command_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("simulat") == 2
    assert "No such command 'simulat'" in capsys.readouterr().err


def test_a_spec_error_ends_with_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", "no-such-file.yml") == 2
    assert "no-such-file.yml" in capsys.readouterr().err
