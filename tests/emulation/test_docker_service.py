"""Whether a Docker daemon is there."""

from __future__ import annotations

import gc
import socket
import warnings
from pathlib import Path

from testbed.emulation.docker_service import answers


def test_a_daemon_that_does_not_listen_yet_is_none_and_costs_no_descriptor(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound, warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        bound.bind(str(tmp_path / "docker.sock"))
        assert not answers(f"unix://{tmp_path}/docker.sock")
        gc.collect()
        assert [str(warning.message) for warning in seen] == []


def test_where_no_socket_is_no_daemon_is(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert not answers(f"unix://{tmp_path}/file")
    assert not answers(f"unix://{tmp_path}/missing")
