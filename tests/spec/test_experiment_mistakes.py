"""Every mistake in an experiment is one clear error: the whole text is pinned."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbed.errors import SpecError
from testbed.scheduling.registry import known, parameters
from testbed.spec.reader import load_experiment

SCHEDULERS = ", ".join(known())
EXPERIMENT = "topology: t.yml\nworkload: w.yml\nschedulers: [fair]\n"
MISTAKES = [
    (
        "topology: tt.yml\nworkload: w.yml\nschedulers: [fair]\n",
        "spec.yml:1: topology: tt.yml: no such file; did you mean 't.yml'?",
    ),
    ("topology: t.yml\nschedulers: [fair]\n", "spec.yml:1: workload: missing; expected a workload file or a workload"),
    (
        "topology: t.yml\nworkload: w.yml\n",
        "spec.yml:1: schedulers: missing; expected a list of schedulers such as [fair, sebf]",
    ),
    (
        "topology: t.yml\nworkload: w.yml\nschedulers: [sbef]\n",
        f"spec.yml:3: schedulers[0]: unknown scheduler 'sbef'; did you mean 'sebf'? known: {SCHEDULERS}",
    ),
    (
        "topology: t.yml\nworkload: w.yml\nschedulers: [{name: sebf, bakfill: true}]\n",
        "spec.yml:3: schedulers[0]: unknown parameter of scheduler sebf 'bakfill'; did you mean 'backfill'? "
        f"known: {', '.join(sorted(parameters('sebf')))}",
    ),
    (
        "topology: t.yml\nworkload: w.yml\nschedulers: [{name: dclas, first_limit: [1]}]\n",
        "spec.yml:3: schedulers[0]: parameter first_limit: expected a number, a quantity or a word, found a list",
    ),
    (
        "topology: t.yml\nworkload: w.yml\nschedulers: [{name: dclas, first_limit: .nan}]\n",
        "spec.yml:3: schedulers[0]: parameter first_limit: expected at most 9.0072e+15, found nan",
    ),
    (
        "topology: t.yml\nworkload: w.yml\nschedulers: [fair, fair]\n",
        "spec.yml:3: schedulers: fair is given twice; 'repeats' repeats a run",
    ),
    ("topology: t.yml\nworkload: w.yml\nschedulers: []\n", "spec.yml:3: schedulers: empty; expected at least one"),
    (
        "topology: t.yml\nworkload: w.yml\nschedulers: [3]\n",
        "spec.yml:3: schedulers[0]: expected a scheduler's name or {name: dclas, queues: 10}, found 3",
    ),
    (
        EXPERIMENT + "enforcement: pace\n",
        "spec.yml:4: enforcement[0]: unknown enforcement 'pace'; did you mean 'pacing'? known: meter, none, "
        "pacing, queue",
    ),
    (
        EXPERIMENT + "enforcement: [none, pacing]\n",
        "spec.yml:4: enforcement: none excludes the others; expected one or the other",
    ),
    (
        "topology: t.yml\nworkload: w.yml\nschedulers: [sebf]\ncontrol: none\n",
        "spec.yml:3: schedulers[0]: control is none, and sebf needs a coordinator; without one there are: dclas, fair",
    ),
    (
        "topology: t.yml\nworkload: w.yml\nschedulers: [{name: dclas, sync: 10 ms}]\ncontrol: none\n",
        "spec.yml:3: schedulers[0]: control is none: dclas has nobody to exchange with every sync; leave sync out",
    ),
    (
        "topology: t.yml\nworkload: w.yml\nschedulers: [dclas]\ncontrol: none\n",
        "spec.yml:3: schedulers[0]: control is none: dclas by each sender alone is emulated only; "
        "expected the backends [emulation]",
    ),
    (
        EXPERIMENT + "control: none\nenforcement: meter\n",
        "spec.yml:5: enforcement: control is none, and meter takes a coordinator; expected one of: none, pacing, queue",
    ),
    (
        EXPERIMENT + "control: none\nenforcement: queue\nmarking: edge\n",
        "spec.yml:6: marking: control is none, and marking edge takes a coordinator; expected actor",
    ),
    (EXPERIMENT + "repeats: 0\n", "spec.yml:4: repeats: expected a number of repeats from 1 to 10000, found 0"),
    (
        EXPERIMENT + "seed: -1\n",
        "spec.yml:4: seed: expected a seed (a whole number) from 0 to 9223372036854775807, found -1",
    ),
    (
        EXPERIMENT + "seed: 1.5\n",
        "spec.yml:4: seed: expected a seed (a whole number) from 0 to 9223372036854775807, found 1.5",
    ),
    (
        EXPERIMENT + "control: inband\n",
        "spec.yml:4: control: unknown control 'inband'; did you mean 'in-band'? known: in-band, none, out-of-band",
    ),
    (EXPERIMENT + "backends: []\n", "spec.yml:4: backends: empty; expected at least one"),
    (
        EXPERIMENT + "vary: {workload.unlabelled.flows: 3}\n",
        "spec.yml:4: vary.workload.unlabelled.flows: expected a list of values",
    ),
    (
        EXPERIMENT + "vary: {workload.unlabeled.flows: [3]}\n",
        "spec.yml:4: workload.unlabeled: unknown key 'unlabeled'; did you mean 'unlabelled'? known: "
        "applications, background, coflows, faults, kind, unlabelled, unlabelled_class",
    ),
    (
        EXPERIMENT + "vary: {'a b': [3]}\n",
        "spec.yml:4: vary.a b: 'a b' is not a field path; expected the form 'topology.link.rate' or "
        "'schedulers[0].sync'",
    ),
    (EXPERIMENT + "vary: [1]\n", "spec.yml:4: vary: expected a mapping, found a list"),
    (EXPERIMENT + "vary: {seed: []}\n", "spec.yml:4: vary.seed: expected a list of values"),
    (
        EXPERIMENT + "shedulers: 3\n",
        "spec.yml:4: shedulers: unknown key 'shedulers'; did you mean 'schedulers'? known: backends, "
        "control, enforcement, marking, metering, repeats, schedulers, seed, topology, vary, workload",
    ),
    (
        EXPERIMENT + "vary: {topology.k: [4, 5]}\n",
        "spec.yml:4: topology.k: expected an even number, found 5; the nearest are 4 and 6",
    ),
    (
        "topology: t.yml\nworkload: {kind: explicit, coflows: [{id: 1, flows: ["
        "{from: 0, to: 16, size: 1 MB}, {from: 0, to: 1, size: 1 MB, via: 4}]}]}\nschedulers: [fair]\n",
        "spec.yml:2: workload.coflows[0].flows[0].to: host 16 is out of range: fat-tree k=4 has the hosts 0 "
        "to 15\nspec.yml:2: workload.coflows[0].flows[1].via: via 4 is out of range: fat-tree k=4 has the "
        "core switches 0 to 3",
    ),
    (
        "topology: w.yml\nworkload: t.yml\nschedulers: [fair]\n",
        "w.yml:1: topology.kind: unknown kind of topology 'explicit'; known: big-switch, fat-tree, "
        "leaf-spine\nt.yml:1: workload.kind: unknown kind of workload 'fat-tree'; known: application, "
        "explicit, synthetic, trace",
    ),
    (
        "topology: 4\nworkload: w.yml\nschedulers: [fair]\n",
        "spec.yml:1: topology: expected a topology file or a topology (a mapping with the key 'kind'), found 4",
    ),
]


@pytest.mark.parametrize(("text", "message"), MISTAKES)
def test_the_error_says_where_what_and_what_was_expected(folder: Path, text: str, message: str) -> None:
    Path("spec.yml").write_text(text)
    with pytest.raises(SpecError) as error:
        load_experiment(Path("spec.yml"))
    assert str(error.value) == message
