"""Every mistake in a workload is one clear error: the whole text is pinned."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbed.errors import SpecError
from testbed.spec.reader import load_workload

EXPLICIT = "kind: explicit\ncoflows:\n  - {id: 1, flows: [{from: 0, to: 1, size: 1 MB}]}\n"
MISTAKES = [
    (
        "kind: application\n",
        "spec.yml:1: applications: missing; expected the commands to run: {commands: [{host: 0, command: ...}]}",
    ),
    (
        "kind: application\napplications:\n  commands: [{command: ls}]\n",
        "spec.yml:3: applications.commands[0]: expected 'host' with a host number, or 'hosts' with a list of them",
    ),
    (
        'kind: application\napplications:\n  commands: [{host: 0, command: "echo \'a"}]\n',
        'spec.yml:3: applications.commands[0].command: no closing quotation in "echo \'a"; expected a command',
    ),
    (
        "kind: application\napplications:\n  commands: [{host: 0, command: [ls, [a]]}]\n",
        "spec.yml:3: applications.commands[0].command: expected a command such as 'python3 mapper.py 2' or a list of "
        "its words, found a list",
    ),
    (
        "kind: application\napplications:\n  commands: []\n",
        "spec.yml:3: applications.commands: found 0 commands; expected 1 to 1000",
    ),
    (
        "kind: application\napplications:\n  folder: nowhere\n  commands: [{host: 0, command: ls}]\n",
        "spec.yml:3: applications.folder: nowhere: no such folder; expected the one that the commands run in",
    ),
    (
        "kind: explicit\ncoflows:\n  - id: 1\n    flows:\n      - {from: 0, to: 1, size: 5}\n",
        "spec.yml:5: coflows[0].flows[0].size: size needs a unit: found 5, expected the form '256 KB'",
    ),
    (
        "kind: explicit\ncoflows:\n  - id: 1\n    flows:\n      - {from: 0, to: 1}\n",
        "spec.yml:5: coflows[0].flows[0].size: missing; expected a size such as 2 MB",
    ),
    (
        "kind: explicit\ncoflows:\n  - id: 1\n    flows:\n      - {from: 0, to: 0, size: 1 MB}\n",
        "spec.yml:5: coflows[0].flows[0]: flow from host 0 to itself; expected two hosts",
    ),
    (
        "kind: explicit\ncoflows:\n  - id: 1\n    flows:\n      - {from: -1, to: 1, size: 1 MB}\n",
        "spec.yml:5: coflows[0].flows[0].from: expected a host number from 0 to 65535, found -1",
    ),
    (
        "kind: explicit\ncoflows:\n  - id: 1\n    flows:\n      - {from: a, to: 1, size: 1 MB}\n",
        "spec.yml:5: coflows[0].flows[0].from: expected a host number from 0 to 65535, found 'a'",
    ),
    (
        "kind: explicit\ncoflows:\n  - id: 1\n    flows:\n      - {from: 0, to: 1, size: -1 MB}\n",
        "spec.yml:5: coflows[0].flows[0].size: size must not be negative: '-1 MB'",
    ),
    (
        "kind: explicit\ncoflows:\n  - id: 1\n    flows:\n      - {from: 0, to: 1, size: 0 B}\n",
        "spec.yml:5: coflows[0].flows[0].size: size is too small: '0 B', expected at least 1 B",
    ),
    (
        "kind: explicit\ncoflows:\n  - id: 1\n    flows:\n      - {from: 0, to: 1, size: .nan}\n",
        "spec.yml:5: coflows[0].flows[0].size: size needs a unit: found nan, expected the form '256 KB'",
    ),
    (
        "kind: explicit\ncoflows:\n  - id: 1\n    flows:\n      - {from: 0, to: 1, size: 1e300 TB}\n",
        "spec.yml:5: coflows[0].flows[0].size: size is too large: '1e300 TB'",
    ),
    (
        "kind: explicit\ncoflows:\n  - id: 1\n    flows:\n      - {from: 0, to: 1, size: 1e9 TB}\n",
        "spec.yml:5: coflows[0].flows[0].size: size is too large: '1e9 TB', expected at most 9.0072e+15 B",
    ),
    (
        "kind: explicit\ncoflows:\n  - id: 1\n    flows:\n      - {from: 0, to: 1, size: 1 MB, label: 7}\n",
        "spec.yml:5: coflows[0].flows[0].label: no coflow 7; known: 1",
    ),
    (
        "kind: explicit\n"
        "coflows:\n"
        "  - id: 1\n"
        "    flows:\n"
        "      - {from: 0, to: 1, size: 1 MB, label: 1, labelled: false}\n",
        "spec.yml:5: coflows[0].flows[0]: label and labelled: false exclude each other; expected one of them",
    ),
    (
        "kind: explicit\ncoflows:\n  - id: 1\n    flows:\n      - {from: 0, to: 1, size: 1 MB, delay: 1 s}\n",
        "spec.yml:5: coflows[0].flows[0]: delay belongs to after; expected 'arrival' where nothing is waited for",
    ),
    (
        "kind: explicit\ncoflows:\n  - id: 1\n    flows:\n      - {from: 0, to: 1, size: 1 MB, after: [x]}\n",
        "spec.yml:5: coflows[0].flows[0].after[0]: no flow with id x; no flow states an id",
    ),
    (
        "kind: explicit\ncoflows:\n  - id: 1\n    flows:\n      - {id: x, from: 0, to: 1, size: 1 MB, after: [x]}\n",
        "spec.yml:5: coflows[0].flows[0].after: each waits for the next, without end: flow x -> flow x",
    ),
    (
        "kind: explicit\ncoflows:\n  - id: 1\n    flows:\n      - {from: 0, to: 1, size: 1 MB, sise: 1}\n",
        "spec.yml:5: coflows[0].flows[0].sise: unknown key 'sise'; did you mean 'size'? known: after, "
        "arrival, delay, from, id, label, labelled, size, to, via",
    ),
    (
        "kind: explicit\n"
        "coflows:\n"
        "  - id: 1\n"
        "    flows:\n"
        "      - {from: 0, to: 1, size: 1 MB, arrival: 1 s, after: x}\n",
        "spec.yml:5: coflows[0].flows[0]: arrival and after exclude each other; expected one of them",
    ),
    ("kind: explicit\n", "spec.yml:1: coflows: missing; expected a list of coflows"),
    ("kind: explicit\ncoflows: []\n", "spec.yml:2: coflows: empty; expected at least one coflow"),
    (
        "kind: explicit\ncoflows:\n  - {id: 1}\n",
        "spec.yml:3: coflows[0]: empty coflow; expected flows, shuffle or broadcast",
    ),
    (
        "kind: explicit\ncoflows:\n  - {id: 1, flows: []}\n",
        "spec.yml:3: coflows[0]: empty coflow; expected flows, shuffle or broadcast",
    ),
    (
        "kind: explicit\ncoflows:\n  - {flows: [{from: 0, to: 1, size: 1 MB}]}\n",
        "spec.yml:3: coflows[0].id: missing; expected a coflow id (a whole number)",
    ),
    (
        EXPLICIT + "  - {id: 1, flows: [{from: 0, to: 1, size: 1 MB}]}\n",
        "spec.yml:4: coflows[1].id: coflow id 1 is given twice; coflows[0] has it already",
    ),
    (
        "kind: explicit\n"
        "coflows:\n"
        "  - {id: 1, after: [2], flows: [{from: 0, to: 1, size: 1 MB}]}\n"
        "  - {id: 2, after: [1], flows: [{from: 0, to: 1, size: 1 MB}]}\n",
        "spec.yml:3: coflows[0].after: each waits for the next, without end: coflow 1 -> coflow 2 -> coflow 1",
    ),
    (
        "kind: explicit\ncoflows:\n  - {id: 1, after: [3], flows: [{from: 0, to: 1, size: 1 MB}]}\n",
        "spec.yml:3: coflows[0].after[0]: no coflow 3; known: 1",
    ),
    (
        "kind: explicit\ncoflows:\n  - {id: 1, shuffle: {mappers: [0, 1], reducers: {1: 1 MB}}}\n",
        "spec.yml:3: coflows[0].shuffle: host 1 maps and reduces: a flow to itself; expected two hosts",
    ),
    (
        "kind: explicit\ncoflows:\n  - {id: 1, shuffle: {mappers: [0, 0], reducers: {1: 1 MB}}}\n",
        "spec.yml:3: coflows[0].shuffle: mappers: host 0 is given twice",
    ),
    (
        "kind: explicit\ncoflows:\n  - {id: 1, shuffle: {mappers: [0], reducers: {a: 1 MB}}}\n",
        "spec.yml:3: coflows[0].shuffle.reducers.a: expected a host number from 0 to 65535, found 'a'",
    ),
    (
        "kind: explicit\ncoflows:\n  - {id: 1, shuffle: {mappers: [], reducers: {1: 1 MB}}}\n",
        "spec.yml:3: coflows[0].shuffle: no flows; expected at least one mapper and one reducer",
    ),
    (
        "kind: explicit\ncoflows:\n  - {id: 1, shuffle: {mappers: [0, 1], reducers: {2: 1 B}}}\n",
        "spec.yml:3: coflows[0].shuffle: reducers[2] of 1 B is less than a byte from each mapper",
    ),
    (
        "kind: explicit\ncoflows:\n  - {id: 1, broadcast: {from: 0, to: [0], size: 1 MB}}\n",
        "spec.yml:3: coflows[0].broadcast: flow from host 0 to itself; expected two hosts",
    ),
    (
        "kind: explicit\ncoflows:\n  - {id: 1, broadcast: {from: 0, to: [], size: 1 MB}}\n",
        "spec.yml:3: coflows[0].broadcast: no flows; expected at least one receiver in 'to'",
    ),
    (
        EXPLICIT + "unlabelled: {coflow: 1}\n",
        "spec.yml:4: unlabelled: found coflow; expected {coflow: ID, flows: N} or {share: 0.3, seed: 1}",
    ),
    (
        EXPLICIT + "unlabelled: {share: 1.5}\n",
        "spec.yml:4: unlabelled.share: expected a share of the flows from 0 to 1, found 1.5",
    ),
    (
        EXPLICIT + "unlabelled: {coflow: 1, flows: 1, seed: 2}\n",
        "spec.yml:4: unlabelled: seed belongs to share: which flows of one coflow lose their label is not random",
    ),
    (EXPLICIT + "background: {}\n", "spec.yml:4: background: no flows; expected long, poisson or both"),
    (
        EXPLICIT + "background: {long: [{from: 0, to: 0}]}\n",
        "spec.yml:4: background.long[0]: flow from host 0 to itself; expected two hosts",
    ),
    (
        EXPLICIT + "background: {poisson: {per_second: 1e6, size: 1 KB, duration: 1 h}}\n",
        "spec.yml:4: background.poisson: 3.6e+09 flows expected; the most is 1000000",
    ),
    (
        EXPLICIT + "unlabelled_class: topp\n",
        "spec.yml:4: unlabelled_class: unknown unlabelled_class 'topp'; did you mean 'top'? known: bottom, own, top",
    ),
    ("kind: trace\nfile: tracee.txt\n", "spec.yml:2: file: tracee.txt: no such file; did you mean 'trace.txt'?"),
    ("kind: trace\n", "spec.yml:1: file: missing; expected a trace file, its name relative to this file"),
    ("kind: trace\nfile: .\n", "spec.yml:2: file: .: a folder; expected a trace file"),
    ("kind: trace\nfile: trace.txt\nselect: {ids: [1, 1]}\n", "spec.yml:3: select: ids: 1 is given twice"),
    (
        "kind: trace\nfile: trace.txt\nselect: {ids: [1], count: 2}\n",
        "spec.yml:3: select: ids excludes first, count, max_width and max_bytes; expected one or the other",
    ),
    (
        "kind: trace\nfile: trace.txt\nports: fold\n",
        "spec.yml:3: ports: unknown ports 'fold'; known: drop, modulo, spread",
    ),
    (
        "kind: trace\nfile: trace.txt\nscale: {size: 0}\n",
        "spec.yml:3: scale.size: expected a factor above 0 and at most 1e+09, found 0",
    ),
    (
        "kind: synthetic\ncoflows: 1000000000\n",
        "spec.yml:2: coflows: expected a count from 1 to 100000, found 1000000000",
    ),
    (
        "kind: synthetic\nshort_narrow: 0.9\n",
        "spec.yml:1: short_narrow + long_narrow + short_wide + long_wide is 1.312; expected 1",
    ),
    (
        "kind: synthetic\nload: -1\n",
        "spec.yml:2: load: expected a load (0.6 is 60 % of the ports' capacity) above 0 and at most 1000, found -1",
    ),
]


@pytest.mark.parametrize(("text", "message"), MISTAKES)
def test_the_error_says_where_what_and_what_was_expected(folder: Path, text: str, message: str) -> None:
    Path("spec.yml").write_text(text)
    with pytest.raises(SpecError) as error:
        load_workload(Path("spec.yml"))
    assert str(error.value) == message
