"""Calibration for real, in short: the figures are positive, fit together, and serve a proposal."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from testbed.calibration import store
from testbed.calibration.model import Load
from testbed.calibration.proposal import COMFORTABLE, propose
from testbed.cli import main
from testbed.emulation.calibrate import calibrate, measurable, timer_lag, versions
from testbed.emulation.names import RUNS
from testbed.errors import CapabilityError
from testbed.fabric import goodput_share
from testbed.topology.fat_tree import FatTree
from testbed.topology.shape import LinkSetting


def test_timers_are_never_early() -> None:
    lag = timer_lag()
    assert 0 <= lag["median"] <= lag["p99"]


def test_every_machine_has_the_datapaths_that_need_no_module() -> None:
    assert {"ovs-user", "router"} <= set(measurable())


def test_versions_are_those_of_the_programs() -> None:
    found = versions()
    assert set(found) == {"testbed", "python", "open vswitch"}
    assert found["open vswitch"][0].isdigit()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may calibrate")
def test_calibration_needs_root() -> None:
    with pytest.raises(CapabilityError) as error:
        calibrate(say=lambda _: None)
    assert str(error.value) == "calibration needs root: it emulates networks; run it again with sudo"


@pytest.mark.network
@pytest.mark.parametrize(("datapath", "k"), [("ovs-user", 2), ("router", 4)])
def test_a_short_calibration(docker_socket: str, datapath: str, k: int) -> None:
    before = sorted(RUNS.glob("*"))
    said: list[str] = []
    found = calibrate([datapath], k=k, seconds=1.5, say=said.append)
    assert sorted(RUNS.glob("*")) == before
    assert found.machine == store.this_machine()
    assert found.container_start_s > 0
    assert found.host_memory_bytes > 0
    (measured,) = found.datapaths.values()
    large, small = measured.points
    assert (large.mtu, small.mtu) == (9000, 1500)
    assert len(said) >= len(measured.points)
    for point in measured.points:
        assert point.goodput_bps > 0
        assert 0 < point.offered <= 1.05
        assert point.round_trip_s > 0
        # Flows cross five switches; a frame and half an acknowledgement for each segment.
        assert point.byte_hops_per_s == pytest.approx(5 * point.goodput_bps / 8 / goodput_share(point.mtu))
        segment = (point.mtu - 52) * point.frames_in_segment
        assert point.frame_hops_per_s == pytest.approx(5 * point.goodput_bps / 8 / segment * 1.5)
    assert large.goodput_bps > small.goodput_bps
    # The fit explains both measurements, but for noise that it does not let make a cost negative.
    cost = measured.cost
    for point in measured.points:
        assert 0.3 < cost.share(Load(point.frame_hops_per_s, point.byte_hops_per_s)) < 3
    link = LinkSetting(20e6, 20e6 / 8 * goodput_share(9000), 256_000)
    proposal = propose(FatTree(4).build(link, link, 9000), datapath, cost, found.origin)
    assert proposal.rate_bps > 0
    assert proposal.share <= COMFORTABLE


@pytest.mark.network
def test_the_command_prints_and_stores_beside_what_was_there(
    docker_socket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(store.VARIABLE)
    monkeypatch.setattr(store, "SYSTEM_FOLDER", tmp_path / "system")
    arguments = ["calibrate", "--datapath", "router", "--seconds", "1"]
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == f"fat-tree k=4, {store.this_machine()}"
    assert sum(line.startswith("router 9000 ") for line in lines) == 1
    assert sum(line.startswith("router 1500 ") for line in lines) == 1
    assert lines[-3].startswith("timers: ")
    assert lines[-2].startswith("containers: ")
    assert lines[-1] == f"stored in {tmp_path}/system/calibration.json"
    found = store.stored()
    assert found is not None
    assert list(found.datapaths) == ["router"]
    kept = replace(found, datapaths={"ovs-kernel": found.datapaths["router"]})
    store.write(kept)
    with pytest.raises(SystemExit) as exit_:
        main([*arguments, "--json"])
    assert exit_.value.code == 0
    found = store.stored()
    assert found is not None
    assert sorted(found.datapaths) == ["ovs-kernel", "router"]
    assert orjson.loads(capsys.readouterr().out)["file"] == f"{tmp_path}/system/calibration.json"
