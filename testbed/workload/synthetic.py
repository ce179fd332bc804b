"""A Facebook-like synthetic workload: bins, widths, sizes, skew and arrivals as in the public trace, seeded.

What is drawn: how many coflows of each bin (exact shares, in random order); per coflow the numbers of mappers and
reducers, the mean flow size and the reducers' skew, from the bin's fit (`synthetic_fit`), again until the coflow lies
in its bin; ports without preference, reducers off the mappers' ports as long as there are others; and the gaps
between arrivals, stretched so that the offered load is met exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from testbed.coflow import Floats
from testbed.errors import SpecError
from testbed.workload.synthetic_fit import FITS, GAPS, NARROW_FLOWS, QUANTILES, SHORT_BELOW_MEGABYTES, BinFit
from testbed.workload.trace import Trace, TraceCoflow

MEGABYTE = 10**6
"""Bytes of a megabyte in a generated trace."""

MAX_GENERATED = 100_000
"""Coflows of a generated workload."""
MAX_FLOWS = 20_000_000
"""Flows of a generated workload."""
MAX_SPAN_S = 1e9
"""From its first arrival to its last."""

ARRIVALS = ("poisson", "bursty")

_ATTEMPTS = 200
_LEAST_MEGABYTES = 1e-6
_UPPER = np.triu_indices(4, 1)


@dataclass(frozen=True)
class SyntheticParameters:
    """What to generate; the fields are the keys of a workload of `kind: synthetic`."""

    coflows: int = 100
    load: float = 0.6
    """Bytes offered per second between the first and the last arrival, as a share of all ports' capacity."""
    seed: int | None = None
    """None: the seed handed to `generate`, which is the experiment's."""
    arrivals: str = "poisson"
    """poisson, or bursty: gaps spread as in the trace (coefficient of variation 1.41)."""
    short_narrow: float = FITS["SN"].share
    """Share of the coflows, as are the next three; together 1. Short: longest flow < 5 MB; narrow: <= 50 flows."""
    long_narrow: float = FITS["LN"].share
    short_wide: float = FITS["SW"].share
    long_wide: float = FITS["LW"].share
    max_width: int | None = None
    """Most flows of a coflow; wider ones lose mappers and reducers in proportion."""
    size_scale: float = 1.0
    """Every size is multiplied by it, after the bins were decided."""
    min_bytes: int | None = None
    """A smaller coflow is enlarged to it, all its flows in proportion, after `size_scale`."""
    max_bytes: int | None = None
    """A larger coflow is shrunk to it likewise."""

    def __post_init__(self) -> None:
        for name, right, expected in (
            ("coflows", 1 <= self.coflows <= MAX_GENERATED, f"1 to {MAX_GENERATED}"),
            ("load", 0 < self.load < math.inf, "more than 0 (0.6 is 60 % of the ports' capacity)"),
            ("seed", self.seed is None or self.seed >= 0, "0 or more"),
            ("arrivals", self.arrivals in ARRIVALS, " or ".join(ARRIVALS)),
            ("max_width", self.max_width is None or self.max_width >= 1, "at least 1 flow"),
            ("size_scale", 0 < self.size_scale < math.inf, "more than 0"),
            ("min_bytes", self.min_bytes is None or self.min_bytes >= 1, "at least 1 byte"),
            ("max_bytes", self.max_bytes is None or self.max_bytes >= (self.min_bytes or 1), "at least min_bytes"),
            *((name, 0 <= getattr(self, name) <= 1, "a share from 0 to 1") for name in _SHARES.values()),
        ):
            if not right:
                raise SpecError(f"synthetic workload: {name} is {getattr(self, name)!r}, expected {expected}")
        total = sum(self.shares.values())
        if abs(total - 1) > 0.01:
            names = " + ".join(_SHARES.values())
            raise SpecError(f"synthetic workload: {names} is {total:g}, expected 1")

    @property
    def shares(self) -> dict[str, float]:
        """Bin -> share of the coflows, in the order of the fits."""
        return {bin_: getattr(self, name) for bin_, name in _SHARES.items()}


_SHARES = {"SN": "short_narrow", "LN": "long_narrow", "SW": "short_wide", "LW": "long_wide"}


def generate(parameters: SyntheticParameters, ports: int, seed: int, port_rate_Bps: float) -> Trace:
    """Coflows for `ports` ports of `port_rate_Bps` each way; 1 MB in the trace is 10^6 bytes.

    The same arguments give the same trace. SpecError where ports or rate make no fabric.
    """
    if ports < 2:
        raise SpecError(f"synthetic workload: {ports} ports, expected at least 2: a flow needs two ends")
    if not 0 < port_rate_Bps < math.inf:
        raise SpecError(f"synthetic workload: port rate is {port_rate_Bps!r} bytes/s, expected more than 0")
    random = np.random.default_rng(seed if parameters.seed is None else parameters.seed)
    bins = _bins(parameters, random)
    shapes: list[tuple[int, Floats]] = []
    flows = 0
    for bin_ in bins:
        shapes.append(_shape(parameters, FITS[bin_], bin_, ports, random))
        flows += shapes[-1][0] * len(shapes[-1][1])
        if flows > MAX_FLOWS:
            raise SpecError(
                f"synthetic workload: the first {len(shapes)} of {len(bins)} coflows have {flows} flows, "
                f"expected at most {MAX_FLOWS} in all: bound them with max_width or coflows"
            )
    offered = math.fsum(float(sizes.sum()) for _, sizes in shapes) * MEGABYTE
    span_s = offered / (parameters.load * ports * port_rate_Bps)
    if span_s > MAX_SPAN_S:
        raise SpecError(
            f"synthetic workload: at a load of {parameters.load:g} the coflows arrive over {span_s:g} s, "
            f"expected at most {MAX_SPAN_S:g} s"
        )
    arrivals = _arrivals(parameters, span_s, random)
    coflows = []
    for i, (mappers, sizes) in enumerate(shapes):
        sources, targets = _place(mappers, len(sizes), ports, random)
        reducers = tuple((int(port), float(size)) for port, size in zip(targets, sizes, strict=True))
        coflows.append(TraceCoflow(i + 1, float(arrivals[i]), tuple(sources), reducers))
    return Trace(ports, tuple(coflows))


def _bins(parameters: SyntheticParameters, random: np.random.Generator) -> list[str]:
    """Each bin as often as its share says (largest remainders rounded up), in random order."""
    shares = np.array(list(parameters.shares.values()))
    exact = shares / shares.sum() * parameters.coflows
    counts = np.floor(exact).astype(int)
    short = parameters.coflows - int(counts.sum())
    counts[np.argsort(counts - exact, kind="stable")[:short]] += 1
    names = [name for name, count in zip(parameters.shares, counts, strict=True) for _ in range(count)]
    return [names[i] for i in random.permutation(len(names))]


def _shape(
    parameters: SyntheticParameters, fit: BinFit, bin_: str, ports: int, random: np.random.Generator
) -> tuple[int, Floats]:
    """Number of mappers, and megabytes of each reducer, of one coflow of the bin."""
    for _ in range(_ATTEMPTS):  # the bins are wide: a handful of attempts is the rule
        mappers, reducers, flow_megabytes, skew = _draw(fit, random)
        mappers, reducers = _fitting(mappers, reducers, ports, parameters.max_width)
        sizes = flow_megabytes * mappers * _weights(skew, reducers, random)
        longest, narrow = float(sizes.max()) / mappers, mappers * reducers <= NARROW_FLOWS
        if (
            longest <= fit.longest_flow_megabytes
            and (longest < SHORT_BELOW_MEGABYTES) == (bin_[0] == "S")
            and (narrow == (bin_[1] == "N") or _too_small_for_wide(parameters, ports))
        ):
            break
    sizes *= parameters.size_scale
    total = float(sizes.sum()) * MEGABYTE
    bounded = min(max(total, parameters.min_bytes or 0), parameters.max_bytes or math.inf)
    return mappers, np.maximum(np.round(sizes * (bounded / total), 6), _LEAST_MEGABYTES)


def _draw(fit: BinFit, random: np.random.Generator) -> tuple[int, int, float, float]:
    """Mappers, reducers, mean flow megabytes and skew: the four quantile functions joined by a Gaussian copula."""
    correlation = np.eye(4)
    correlation[_UPPER] = correlation.T[_UPPER] = fit.correlations
    root = np.linalg.cholesky(correlation)
    u = [0.5 * math.erfc(-z / math.sqrt(2)) for z in root @ random.standard_normal(4)]
    mappers, reducers, megabytes = (
        math.exp(np.interp(u[i], QUANTILES, np.log(table)))
        for i, table in enumerate((fit.mappers, fit.reducers, fit.flow_megabytes))
    )
    return round(mappers), round(reducers), megabytes, float(np.interp(u[3], QUANTILES, fit.skew))


def _fitting(mappers: int, reducers: int, ports: int, max_width: int | None) -> tuple[int, int]:
    """As many mappers and reducers as there are ports, and together at most `max_width` flows."""
    mappers, reducers = min(mappers, ports), min(reducers, ports)
    if max_width is not None and mappers * reducers > max_width:
        shrink = math.sqrt(max_width / (mappers * reducers))
        mappers = max(1, min(int(mappers * shrink), max_width))
        reducers = max(1, min(int(reducers * shrink), max_width // mappers))
    return mappers, reducers


def _too_small_for_wide(parameters: SyntheticParameters, ports: int) -> bool:
    return min(parameters.max_width or ports**2, ports**2) <= NARROW_FLOWS


def _weights(skew: float, reducers: int, random: np.random.Generator) -> Floats:
    """The reducers' sizes over their mean: log-normal with a coefficient of variation of `skew`."""
    weights = np.exp(math.sqrt(math.log1p(skew**2)) * random.standard_normal(reducers))
    return np.asarray(weights / weights.mean(), dtype=np.float64)


def _arrivals(parameters: SyntheticParameters, span_s: float, random: np.random.Generator) -> Floats:
    """Arrival of each coflow: the first at 0, the last at `span_s`."""
    count = parameters.coflows - 1
    if count == 0:
        return np.zeros(1)
    if parameters.arrivals == "poisson":
        gaps = random.standard_exponential(count)
    else:
        gaps = np.exp(np.interp(random.random(count), QUANTILES, np.log(GAPS)))
    arrivals = np.concatenate(([0.0], np.cumsum(gaps)))
    return np.asarray(np.round(arrivals * (span_s / arrivals[-1]), 9), dtype=np.float64)


def _place(mappers: int, reducers: int, ports: int, random: np.random.Generator) -> tuple[list[int], list[int]]:
    """Ports of mappers and of reducers, each in order; the two overlap only where there are too few ports."""
    shuffled = random.permutation(ports)
    sources = shuffled[:mappers]
    targets = np.concatenate((shuffled[mappers:], sources))[:reducers]
    return sorted(sources.tolist()), sorted(targets.tolist())
