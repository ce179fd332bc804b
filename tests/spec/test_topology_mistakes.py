"""Every mistake in a topology is one clear error: the whole text is pinned."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbed.errors import SpecError
from testbed.spec.reader import load_topology

FAT_TREE = "kind: fat-tree\nk: 4\n"
MISTAKES = [
    ("kind: fat-tree\nk: 5\n", "spec.yml:2: k: expected an even number, found 5; the nearest are 4 and 6"),
    ("kind: fat-tree\n", "spec.yml:1: k: missing; expected the number of pods, an even number"),
    (
        "kind: fatree\nk: 4\n",
        "spec.yml:1: kind: unknown kind of topology 'fatree'; did you mean 'fat-tree'? known: big-switch, "
        "fat-tree, leaf-spine",
    ),
    ("k: 4\n", "spec.yml:1: kind: missing; expected one of fat-tree, leaf-spine, big-switch"),
    ("kind: fat-tree\nk: 4.0\n", "spec.yml:2: k: expected an even number from 2 to 64, found 4.0"),
    (
        FAT_TREE + "link:\n  mtuu: 3\n",
        "spec.yml:4: link.mtuu: unknown key 'mtuu'; did you mean 'mtu'? known: buffer, delay, goodput, loss, mtu, "
        "queueing, rate",
    ),
    (
        FAT_TREE + "link: {rate: 20}\n",
        "spec.yml:3: link.rate: rate needs a unit: found 20, expected the form '20 Mbit/s'",
    ),
    (
        FAT_TREE + "link: {rate: 20 Mbits}\n",
        "spec.yml:3: link.rate: not a rate: '20 Mbits', expected the form '20 Mbit/s' (units: bit/s, bps, "
        "B/s, Kbit/s, Kbps, kbit/s, kbps, Kibit/s, KB/s, kB/s, KiB/s, Mbit/s, Mbps, Mibit/s, MB/s, MiB/s, "
        "Gbit/s, Gbps, Gibit/s, GB/s, GiB/s, Tbit/s, Tbps, Tibit/s, TB/s, TiB/s)",
    ),
    (
        FAT_TREE + "link: {rate: 0 bit/s}\n",
        "spec.yml:3: link.rate: rate is too small: '0 bit/s', expected at least 1 bit/s",
    ),
    (
        FAT_TREE + "link: {rate: 1e30 Tbit/s}\n",
        "spec.yml:3: link.rate: rate is too large: '1e30 Tbit/s', expected at most 1e+15 bit/s",
    ),
    (
        FAT_TREE + "link: {rate: 1 bit/s, goodput: 1 MB/s}\n",
        "spec.yml:3: link: rate and goodput exclude each other; expected one of them",
    ),
    (
        FAT_TREE + "link: {queueing: per-flow}\nrouting: {ecmp: hash}\n",
        "spec.yml:1: link.queueing per-flow needs to know what crosses a port, and with routing.ecmp hash the switches "
        "choose; expected ecmp per-flow or single-path, or queueing fifo",
    ),
    (
        FAT_TREE + "tcp: {window: 17 KB}\n",
        "spec.yml:1: tcp.window is 17000 B; expected two packets of link.mtu, 18000 B, to 1073741824 B",
    ),
    (
        FAT_TREE + "tcp: {window: 2 GiB}\n",
        "spec.yml:1: tcp.window is 2147483648 B; expected two packets of link.mtu, 18000 B, to 1073741824 B",
    ),
    (
        FAT_TREE + "link: {buffer: 1 KB}\n",
        "spec.yml:3: link.buffer: 1000 B is less than a frame of MTU 9000; expected 9014 B or more",
    ),
    (
        FAT_TREE + "link: {loss: 2}\n",
        "spec.yml:3: link.loss: not a share: 2, expected a number from 0 to 1 or the form '0.1%'",
    ),
    (
        FAT_TREE + "link: {loss: .nan}\n",
        "spec.yml:3: link.loss: not a share: nan, expected a number from 0 to 1 or the form '0.1%'",
    ),
    (FAT_TREE + "link: {delay: 5}\n", "spec.yml:3: link.delay: time needs a unit: found 5, expected the form '10 ms'"),
    (
        FAT_TREE + "oversubscription: 0\n",
        "spec.yml:3: oversubscription: expected an oversubscription from 1 to 1000, found 0",
    ),
    (
        FAT_TREE + "oversubscription: .nan\n",
        "spec.yml:3: oversubscription: expected an oversubscription from 1 to 1000, found nan",
    ),
    (
        FAT_TREE + "tcp: {congestion: 'x; y'}\n",
        "spec.yml:3: tcp.congestion: expected a congestion control such as cubic, reno or bbr, found 'x; y'",
    ),
    (FAT_TREE + "hosts: 4\n", "spec.yml:3: hosts: expected a mapping of cpus, image, memory; found 4"),
    (
        FAT_TREE + "routing: {ecmp: perflow}\n",
        "spec.yml:3: routing.ecmp: unknown ecmp 'perflow'; did you mean 'per-flow'? known: hash, per-flow, single-path",
    ),
    (
        FAT_TREE + "datapath: ovs\n",
        "spec.yml:3: datapath: unknown datapath 'ovs'; known: auto, ovs-kernel, ovs-user, router",
    ),
    (
        "kind: big-switch\nports: 4\noversubscription: 2\n",
        "spec.yml:3: oversubscription: a big switch has no links between switches; found 2, expected 1",
    ),
    (
        "kind: leaf-spine\nleaves: 4096\nspines: 4096\nhosts_per_leaf: 4096\n",
        "spec.yml:1: 16777216 hosts and 16777216 cables between switches; expected at most 65536 of each",
    ),
    (
        "kind: leaf-spine\nleaves: 1\nspines: 1\nhosts_per_leaf: 1\n",
        "spec.yml:1: 1 host; expected at least 2: a flow needs two ends",
    ),
    ("- 1\n", "spec.yml:1: expected a topology (a mapping with the key 'kind'), found a list"),
    ("", "spec.yml: empty; expected a YAML document"),
    (
        "kind: [fat-tree]\nk: 4\n",
        "spec.yml:1: kind: unknown kind of topology 'a list'; known: big-switch, fat-tree, leaf-spine",
    ),
    (FAT_TREE + "k: 4\n", "spec.yml:3: key 'k' is given twice; the first is on line 2"),
    (
        FAT_TREE + "link: null\n",
        "spec.yml:3: link: expected a mapping of buffer, delay, goodput, loss, mtu, queueing, rate; found null",
    ),
    (FAT_TREE + "tcp: {ecn: yes}\n", "spec.yml:3: tcp.ecn: expected true or false, found 'yes'"),
]


@pytest.mark.parametrize(("text", "message"), MISTAKES)
def test_the_error_says_where_what_and_what_was_expected(folder: Path, text: str, message: str) -> None:
    Path("spec.yml").write_text(text)
    with pytest.raises(SpecError) as error:
        load_topology(Path("spec.yml"))
    assert str(error.value) == message
