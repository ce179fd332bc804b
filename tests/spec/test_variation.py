"""How the points of a sweep are called."""

from __future__ import annotations

from testbed.spec.variation import point_title, scalar, short_names


def test_a_field_is_called_by_its_last_word_unless_two_share_it() -> None:
    assert short_names(["workload.load", "schedulers[1].sync", "repeats"]) == {
        "workload.load": "load",
        "schedulers[1].sync": "sync",
        "repeats": "repeats",
    }
    assert short_names(["workload.unlabelled.flows", "workload.coflows[0].flows[2]"]) == {
        "workload.unlabelled.flows": "workload.unlabelled.flows",
        "workload.coflows[0].flows[2]": "workload.coflows[0].flows[2]",
    }


def test_a_point_is_named_by_its_values_without_what_runs_state() -> None:
    values = {"workload.load": 0.3, "scheduler": "fair", "seed": 4, "topology.link.rate": "20 Mbit/s", "a.b": None}
    assert point_title(values) == "load=0.3, rate=20 Mbit/s, b=null"
    assert point_title({"scheduler": "fair", "seed": 1}) == ""
    assert point_title({"schedulers[0].backfill": False}) == "backfill=false"


def test_mappings_and_lists_become_one_cell() -> None:
    assert scalar({"share": 0.5, "of": [1, 2]}) == '{"share":0.5,"of":[1,2]}'
    assert [scalar(value) for value in ("x", 3, 0.5, True, None)] == ["x", 3, 0.5, True, None]
