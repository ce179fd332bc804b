from __future__ import annotations

import subprocess
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from testbed.emulation import shared, sysctls
from testbed.emulation.owner import this_process

pytestmark = pytest.mark.usefixtures("runtime")

SETTING = "net.core.wmem_default"


@pytest.fixture
def setting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A file in the place of a machine-wide setting."""
    file = tmp_path / "wmem_default"
    file.write_text("212992\n")
    monkeypatch.setattr(sysctls, "_path", lambda _: file)
    return file


def test_the_first_user_changes_and_the_last_one_restores(setting: Path) -> None:
    me = this_process()
    sysctls.raise_sysctl(SETTING, 67_108_864, "one", me)
    sysctls.raise_sysctl(SETTING, 67_108_864, "two", me)
    assert setting.read_text() == "67108864"
    sysctls.release_sysctl(SETTING, "one")
    assert setting.read_text() == "67108864"
    sysctls.release_sysctl(SETTING, "two")
    assert setting.read_text() == "212992"
    assert shared.read() == {}
    sysctls.release_sysctl(SETTING, "two")


def test_a_user_that_died_does_not_count_and_its_old_value_is_kept(setting: Path) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    me = this_process()
    sysctls.raise_sysctl(SETTING, 67_108_864, "dead", replace(me, pid=gone.pid))
    sysctls.raise_sysctl(SETTING, 67_108_864, "living", me)
    entry = shared.read()[f"sysctl:{SETTING}"]
    assert (entry["old"], [user["owner"] for user in entry["users"]]) == ("212992", [asdict(me)])
    sysctls.release_sysctl(SETTING, "living")
    assert setting.read_text() == "212992"


def test_a_higher_value_is_left_as_it_is(setting: Path) -> None:
    setting.write_text("99999999")
    sysctls.raise_sysctl(SETTING, 67_108_864, "one", this_process())
    assert setting.read_text() == "99999999"


def test_a_value_that_somebody_else_has_set_meanwhile_stays(setting: Path) -> None:
    sysctls.raise_sysctl(SETTING, 67_108_864, "one", this_process())
    setting.write_text("1000000")
    sysctls.release_sysctl(SETTING, "one")
    assert setting.read_text() == "1000000"


def test_the_old_value_is_written_down_before_the_change(setting: Path) -> None:
    me = this_process()
    seen = []
    shared.join("key", "one", me, lambda: {"kind": "test", "old": 1}, lambda _: seen.append(shared.read()))
    assert seen == [{"key": {"users": [{"user": "one", "owner": asdict(me)}], "kind": "test", "old": 1}}]
