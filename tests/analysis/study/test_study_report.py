"""The report of a small study: its figures against the prediction, its files, and what it says of what is missing."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_study import record_study

from testbed.analysis.study.report import StudyReport, write_study_report
from testbed.analysis.study.sections import Section
from testbed.errors import RecordsError
from testbed.records.study_folder import StudyFolder


def part(report: StudyReport, name: str) -> Section:
    return next(section for section in report.sections if section.name == name)


def test_the_simulator_and_the_separate_calculation_agree(simulated: StudyReport) -> None:
    summary = part(simulated, "a-behind").frames["a-behind"]
    assert set(summary["source"]) == {"simulation"}
    assert len(summary) == 2 * 3 * 2
    np.testing.assert_allclose(summary["over_predicted"], 1.0, rtol=1e-9)
    top = summary[(summary["label"] == "class top") & (summary["quantity"] == "residence")]
    assert top["times"].to_numpy() == pytest.approx([1, 2, 10])
    assert top["law"].tolist() == [1, 2, 10]
    bottom = summary[summary["label"] == "class bottom"]
    assert bottom["times"].to_numpy() == pytest.approx(np.ones(6))


def test_what_was_not_emulated_is_said(simulated: StudyReport) -> None:
    missing = part(simulated, "a-behind").words.missing
    assert missing == (
        "Not measured on the emulated network; the figures are simulated and predicted ones.",
        "6 of 6 emulated runs were not made.",
    )
    assert part(simulated, "e-starts").words.missing == (
        "No run was emulated, and simulated flows start at their planned instant exactly.",
    )
    assert simulated.summary.missing[0].startswith("d-trace was left out: there is no trace file missing.txt (")
    assert simulated.summary.missing[0].endswith("); --trace FILE names one.")


def test_measured_points_are_judged_and_counted(complete: StudyReport) -> None:
    assert complete.summary.found[0] == (
        "12 of 12 measured points (residence, CCT of what comes behind) are within 15% of a prediction made apart from "
        "the simulator; the farthest has measured / predicted 1.00 "
        f"{complete.summary.found[0].split('1.00 ')[1]}"
    )
    assert complete.summary.found[1] == (
        "a-behind, measured: with 9 labels taken away, the CCT of what comes behind it changes by +641% (class top) "
        "and +0% (class bottom)."
    )
    words = part(complete, "a-behind").words
    assert words.found[0] == (
        "Class top, measured: taking 9 labels away changes the CCT of what comes behind it by +641% (predicted +641%); "
        "its residence is 10.00 times that at m = 0 (predicted 10.00, the law's M / (M - m) 10.00)."
    )
    assert "Points with one run have no interval: how much they change from run to run is not known." in words.missing
    starts = part(complete, "e-starts").frames["e-starts"]
    assert starts["flows"].tolist() == [6 * 20]
    assert starts["p99_ms"].tolist() == [0.0]


def test_shares_are_compared_with_the_same_coflows(complete: StudyReport) -> None:
    summary = part(complete, "d-shares").frames["d-shares"]
    every = summary[summary["set"] == "all coflows"]
    assert every["coflows"].tolist() == [40] * 4
    assert every[every["share"] == 0]["times"].tolist() == [1, 1]
    kept = summary[(summary["set"] != "all coflows") & (summary["share"] == 0.5)]
    assert (kept["coflows"] < 40).all()
    folder = complete.page.parent / "d-shares"
    listed = json.loads((folder / "sweep.json").read_text())["runs"]
    mean = {share: np.mean(np.concatenate([
        pd.read_csv(folder / "runs" / entry["run"] / "coflows.csv")["cct_s"] for entry in listed
        if entry["scheduler"] == "sebf" and entry["values"]["workload.unlabelled.share"] == share
    ])) for share in (0, 0.5)}  # fmt: skip
    sebf = every[(every["scheduler"] == "sebf") & (every["share"] == 0.5)].iloc[0]
    assert sebf["times"] == pytest.approx(mean[0.5] / mean[0])


def test_every_figure_and_table_is_a_file(complete: StudyReport) -> None:
    names = {path.name for path in complete.figures}
    stems = {"a-behind-seconds", "a-behind-times", "d-shares-shares", "e-starts"}
    assert names == {f"{stem}.{kind}" for stem in stems for kind in ("png", "pdf")}
    assert all(path.read_bytes()[:4] in (b"\x89PNG", b"%PDF") for path in complete.figures)
    assert {path.name for path in complete.tables} == {
        "a-behind.csv",
        "a-behind-runs.csv",
        "d-shares.csv",
        "e-starts.csv",
    }
    table = pd.read_csv(complete.page.parent / "tables/a-behind-runs.csv")
    assert len(table) == 2 * 2 * 3 * 2
    assert set(table["source"]) == {"emulation", "simulation"}


def test_the_page_needs_nothing_else_and_has_every_chart(complete: StudyReport) -> None:
    text = complete.page.read_text()
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", text)
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    charts = json.loads(found[1])["charts"]
    assert list(charts) == [
        "a-behind-seconds-0", "a-behind-seconds-1", "a-behind-times-0", "a-behind-times-1", "d-shares-shares-0",
        "d-shares-shares-1", "e-starts-0", "e-starts-1",
    ]  # fmt: skip
    assert all(f'id="{chart}"' in text for chart in charts)
    curves = {(row["what"], row["how"]) for row in charts["a-behind-seconds-0"]["data"]["values"]}
    assert curves == {(f"class {kind}", how) for kind in ("top", "bottom") for how in
                      ("measured", "simulated", "predicted")}  # fmt: skip


def test_a_failed_and_an_invalid_run_are_named_and_left_out(specs: Path, tmp_path: Path) -> None:
    folder = record_study(specs, tmp_path / "out", emulated=True)
    place = folder.sweep("a-behind")
    document = place.read()
    assert document is not None
    broken, bad = [entry["run"] for entry in document["runs"] if entry["source"] == "emulation"][:2]
    manifest = json.loads((place.runs / broken / "manifest.json").read_text())
    (place.runs / broken / "manifest.json").write_text(json.dumps({**manifest, "status": "incomplete"}))
    place.write({**document, "failed": {broken: "the network fell down"}})
    verdict = json.loads((place.runs / bad / "fidelity.json").read_text())
    verdict["verdict"] = verdict["checks"][0]["verdict"] = "invalid"
    (place.runs / bad / "fidelity.json").write_text(json.dumps(verdict))
    report = write_study_report(folder.path)
    missing = part(report, "a-behind").words.missing
    assert "1 of 6 emulated runs were not made, 1 of them failed." in missing
    named = verdict["checks"][0]["name"]
    assert f"1 emulated runs are invalid and left out of every figure: {named} in 1." in missing
    assert report.invalid == 1
    summary = part(report, "a-behind").frames["a-behind"]
    assert len(summary[summary["source"] == "emulation"]) == 2 * (6 - 2)
    assert "the network fell down" in report.page.read_text()


def test_nothing_finished_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RecordsError) as error:
        write_study_report(tmp_path)
    assert str(error.value) == f"{tmp_path}: not the folder of a study: it has no study.json"
    StudyFolder(tmp_path).write({"study": "s", "sweeps": ["a"], "left_out": {}})
    with pytest.raises(RecordsError) as error:
        write_study_report(tmp_path)
    assert str(error.value) == f"{tmp_path}: no run of this study is finished"
