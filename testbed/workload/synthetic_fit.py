"""What the synthetic generator draws from: figures fitted to the public Facebook trace, bin by bin.

Source: FB2010-1Hr-150-0.txt of coflow-benchmark (526 coflows on 150 ports, one hour). Short means a longest flow
under 5 MB, narrow at most 50 flows. Each table is a quantile function at `QUANTILES`; in between the logarithm is
interpolated (the skew's value itself). The correlations are those of the normal scores of mappers, reducers, mean
flow size and skew, so a Gaussian copula joins the four tables.
"""

from __future__ import annotations

from dataclasses import dataclass

SHORT_BELOW_MEGABYTES = 5.0
"""A coflow is short if its longest flow has fewer."""
NARROW_FLOWS = 50
"""A coflow is narrow if it has at most so many flows."""

FITTED_PORTS = 150

QUANTILES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)


@dataclass(frozen=True)
class BinFit:
    """One bin's share of the coflows and its quantile functions."""

    share: float
    mappers: tuple[float, ...]
    reducers: tuple[float, ...]
    flow_megabytes: tuple[float, ...]
    """Mean size of a coflow's flows."""
    skew: tuple[float, ...]
    """Standard deviation of the reducers' megabytes over their mean."""
    correlations: tuple[float, float, float, float, float, float]
    """Mappers with reducers, flow size, skew; reducers with flow size, skew; flow size with skew."""
    longest_flow_megabytes: float
    """The bin's largest flow in the trace; nothing larger is drawn."""


FITS = {
    "SN": BinFit(
        share=0.587,
        mappers=(1, 1, 1, 1, 1, 1, 3, 5, 7, 13, 23.4, 27, 30),
        reducers=(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 33, 48),
        flow_megabytes=(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1.22, 1.83, 3),
        skew=(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0.393, 0.707),
        correlations=(-0.21, -0.23, -0.26, 0.53, 0.84, 0.63),
        longest_flow_megabytes=4,
    ),
    "LN": BinFit(
        share=0.171,
        mappers=(1, 1, 1, 1, 1, 2, 2, 2, 2, 3, 4, 6.55, 16),
        reducers=(1, 1, 1, 1, 1, 1, 1, 1, 2, 19.8, 35.1, 41.6, 50),
        flow_megabytes=(1.3, 2.8, 4.84, 6.47, 10.5, 21, 24, 31.4, 51.3, 60.4, 119, 264, 638),
        skew=(0, 0, 0, 0, 0, 0, 0, 0, 0, 0.306, 0.426, 0.673, 4.83),
        correlations=(-0.41, 0.41, -0.47, -0.52, 0.9, -0.43),
        longest_flow_megabytes=2179,
    ),
    "SW": BinFit(
        share=0.112,
        mappers=(1, 1, 2.6, 16.8, 36.4, 54.4, 63, 65, 112, 135, 145, 147, 147),
        reducers=(1, 4.6, 5, 14, 27.8, 46.2, 55, 62, 66.6, 72.4, 85.8, 133, 136),
        flow_megabytes=(1, 1, 1, 1, 1, 1, 1.02, 1.03, 1.12, 1.4, 2.01, 2.56, 4),
        skew=(0, 0, 0, 0, 0, 0, 0.109, 0.125, 0.227, 0.28, 0.409, 0.458, 0.566),
        correlations=(0.39, -0.5, -0.46, -0.21, 0.14, 0.55),
        longest_flow_megabytes=4,
    ),
    "LW": BinFit(
        share=0.129,
        mappers=(1, 3, 4, 7.2, 15, 27, 30.5, 52.6, 127, 145, 147, 147, 147),
        reducers=(4, 8.35, 9, 15, 30.5, 79.2, 114, 118, 121, 124, 141, 143, 145),
        flow_megabytes=(1.41, 2.34, 4.1, 6.63, 13.6, 16.8, 23.4, 26.8, 41.4, 52.6, 73.2, 90.4, 501),
        skew=(0, 0, 0.0241, 0.234, 0.334, 0.462, 0.494, 0.508, 0.526, 0.57, 0.785, 1.07, 6.77),
        correlations=(0.34, 0.42, -0.06, 0.47, 0.55, 0.15),
        longest_flow_megabytes=2472,
    ),
}
"""Bin -> its fit: short or long, narrow or wide."""

GAPS = (0.00101, 0.0191, 0.0409, 0.11, 0.201, 0.289, 0.443, 0.689, 1.08, 1.63, 2.66, 3.57, 11.9)
"""Quantile function of the gap between arrivals over the mean gap (coefficient of variation 1.41; Poisson has 1)."""
