"""The fabric under Mininet's own program, and Mininet's API on the emulated network."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from emulated_plans import fat_tree, install_routes

from testbed.emulation.mininet_topo import FabricTopo, topos
from testbed.emulation.network import EmulatedNetwork

TOPO_FILE = Path(__file__).resolve().parents[2] / "testbed/emulation/mininet_topo.py"

ALONE = """
set -eu
mount -o bind,ro /proc/sys /proc/sys
for directory in /var/run/openvswitch /etc/openvswitch /var/log/openvswitch; do
    mkdir -p $directory
    mount -t tmpfs tmpfs $directory
done
ip link set lo up
/usr/share/openvswitch/scripts/ovs-ctl start --system-id=random >/dev/null 2>&1
trap '/usr/share/openvswitch/scripts/ovs-ctl stop >/dev/null 2>&1' EXIT
"$@"
"""
"""Runs a program with an Open vSwitch, interfaces and settings of its own: Mininet changes the machine's for good."""


def test_a_topology_has_the_fabrics_nodes_ports_and_datapath_ids() -> None:
    fabric = fat_tree(4).fabric
    topo = FabricTopo(fabric=fabric)
    assert topo.hosts() == [host.name for host in fabric.hosts]
    assert [topo.nodeInfo(node.name)["dpid"] for node in fabric.switches] == [f"{i:x}" for i in range(1, 21)]
    assert len(topo.links()) == 48
    for link in fabric.links:
        assert topo.port(link.source, link.target) == (link.source_port, link.target_port)


def test_the_file_is_a_custom_file_of_mininets_program() -> None:
    customs: dict[str, Any] = {}
    exec(compile(TOPO_FILE.read_text(), str(TOPO_FILE), "exec"), customs, customs)
    topo = customs["topos"]["coflow"]("4", bw=10.0)
    assert (len(topo.hosts()), len(topo.switches()), len(topo.links())) == (16, 20, 48)
    assert topo.linkInfo("h0", "e0")["bw"] == 10.0
    assert list(topos) == ["coflow"]


@pytest.mark.network
def test_mininets_program_builds_the_topology_and_pings() -> None:
    mn = Path(sys.executable).parent / "mn"
    arguments = "--topo coflow,2 --switch ovs,datapath=user,failMode=standalone --controller none --test pingall"
    command = ["unshare", "--net", "--mount", "sh", "-c", ALONE, "sh", str(mn), "--custom", str(TOPO_FILE)]
    done = subprocess.run([*command, *arguments.split()], capture_output=True, text=True, timeout=120, check=False)
    assert "*** Results: 0% dropped (2/2 received)" in done.stdout + done.stderr


@pytest.mark.network
def test_mininets_api_works_on_the_emulated_network(docker_socket: str) -> None:
    with EmulatedNetwork(fat_tree(2), "test-mininet") as network:
        install_routes(network)
        net, peer = network.mininet, network.plan.addresses[1].primary
        assert net.get("h1").IP() == peer
        assert net.get("h0").MAC() == network.plan.addresses[0].mac
        assert net["h0"].cmd("hostname; echo $((6 * 7))").split()[-1] == "42"
        assert net["h0"].pexec("false")[2] == 1
        assert "1 received" in net["h0"].cmd(f"ping -c 1 -W 5 {peer}")
        net.configLinkStatus("h0", "e0", "down")
        assert "1 received" not in net["h0"].cmd(f"ping -c 1 -W 1 {peer} 2>&1")
        assert "is_connected" not in net["e0"].vsctl("--columns=name list Bridge", network.bridges()["e0"].name)
        assert not net["e0"].connected()
        assert net["h0"].pid == network.hosts[0].pid
