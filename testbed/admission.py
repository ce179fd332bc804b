"""Admission of a plan to this machine: its load is predicted from a simulation and the stored calibration."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from testbed.calibration.admission import FITS, TOO_MUCH, Admission, Figures, judge
from testbed.calibration.model import Cost, Prediction, predict, predict_fullest
from testbed.calibration.store import REMEDY, Calibration, stored
from testbed.display import Display
from testbed.errors import CalibrationError, TestbedError
from testbed.plan import Plan

BUILT_IN = {"ovs-user": Cost(frame_s=16e-6, byte_s=1.2e-9), "router": Cost(frame_s=2.5e-6, byte_s=0.1e-9)}
"""Costs on two cores of 2020 with other work besides; nothing is refused for them."""
BUILT_IN_HOST_BYTES = 40_000_000
MOST_FLOWS = 20_000
"""Of a plan that is simulated for its prediction; one with more is taken at its worst."""


def admission(plan: Plan, simulates: bool = True) -> Admission:
    """What an emulated plan asks of this machine, and whether that is there. Changes and starts nothing.

    `simulates`: find out by a simulation when its flows run; else all hosts are taken to be at full rate.
    """
    figures = figures_for(plan)
    prediction = _prediction(plan, figures.datapath) if simulates else predict_fullest(plan, figures.datapath)
    return judge(plan.fabric, prediction, figures)


def admitted(plan: Plan, display: Display, force: bool = False) -> Plan:
    """The plan with its admission noted in it; warns near the limit. CalibrationError far above it, unless forced."""
    found = admission(plan)
    if found.verdict == TOO_MUCH and not force:
        raise CalibrationError(
            f"{plan.experiment}, {plan.scheduler.title}: {'; '.join(found.reasons)}. --force runs it all the same"
        )
    if found.verdict != FITS:
        for reason in found.reasons:
            display.say(f"warning: {plan.scheduler.title}: {reason}")
    return replace(plan, calibration={**plan.calibration, "admission": found.document()})


def figures_for(plan: Plan) -> Figures:
    """The figures that hold for a plan's datapath: of the stored calibration, else built in."""
    memory_bytes = _available_bytes()
    try:
        calibration = stored()
        if calibration is not None:
            return _measured(calibration, plan, memory_bytes)
        reason = f"{REMEDY} to measure this machine"
    except CalibrationError as error:
        reason = str(error)
    datapath = _datapath(plan)
    cost = BUILT_IN.get(datapath)
    origin = f"built-in figures; {reason}" if cost is not None else f"nothing is known of {datapath} here; {reason}"
    return Figures(datapath, cost, origin, False, BUILT_IN_HOST_BYTES, memory_bytes)


def _measured(calibration: Calibration, plan: Plan, memory_bytes: int) -> Figures:
    datapath = calibration.datapath_of(plan.datapath)
    cost = calibration.datapaths[datapath].cost
    return Figures(datapath, cost, calibration.origin, True, calibration.host_memory_bytes, memory_bytes)


def _datapath(plan: Plan) -> str:
    from testbed.emulation.capabilities import has_kernel_datapath

    if plan.datapath != "auto":
        return plan.datapath
    return "ovs-kernel" if has_kernel_datapath() else "ovs-user"


def _prediction(plan: Plan, datapath: str) -> Prediction:
    """From a simulation of the plan, where there is one: what applications will send is not known."""
    from testbed.simulation.engine import simulate

    if plan.applications.programs or len(plan.flows) > MOST_FLOWS:
        return predict_fullest(plan, datapath)
    try:
        outcome = simulate(plan)
    except TestbedError:  # the run itself will say why
        return predict_fullest(plan, datapath)
    return predict(plan, datapath, outcome.start_s, outcome.finish_s, outcome.received_bytes)


def _available_bytes() -> int:
    facts = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return int(facts["MemAvailable"].split()[0]) * 1024
