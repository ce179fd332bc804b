from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
from small_plans import fat_tree

from testbed.errors import EmulationError
from testbed.rules.model import Route, SwitchRules, rules_from_json
from testbed.rules.routes import make_rules


def test_the_highest_matching_priority_decides() -> None:
    host = Route(400, "10.0.3.1", "255.0.255.255", (1,))
    edge = Route(300, "10.0.3.0", "255.0.255.0", ())
    core = Route(200, "10.2.0.0", "255.255.0.0", (4,))
    switch = SwitchRules("e3", 1, 0, (), (core, edge, host))
    assert switch.route("10.2.3.1") is host
    assert switch.route("10.2.3.9") is edge
    assert switch.route("10.2.4.1") is core
    assert switch.route("10.1.4.1") is None


def test_rules_survive_their_document() -> None:
    rules = make_rules(fat_tree(4))
    assert rules_from_json(rules.to_json()) == rules


def test_rules_of_another_version_are_refused() -> None:
    document = {**json.loads(make_rules(fat_tree(2)).to_json()), "format": 99}
    message = "rules: format is 99, expected 1; they were written by another version of the testbed"
    with pytest.raises(EmulationError, match=f"^{re.escape(message)}$"):
        rules_from_json(json.dumps(document))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ("{}", "KeyError: 'format'"),
        ('{"format": 1, "switches": [{}]}', "KeyError: 'routes'"),
    ],
)
def test_what_is_no_rules_document_is_refused(text: str, why: str) -> None:
    message = f"rules: not a rules document ({why}); expected what Rules.to_json writes"
    with pytest.raises(EmulationError, match=f"^{re.escape(message)}$"):
        rules_from_json(text)


def test_a_driver_can_read_rules_without_numpy() -> None:
    """The controller's process starts quickly because of it."""
    code = "import sys, testbed.rules.model; print('numpy' in sys.modules, 'os_ken' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
