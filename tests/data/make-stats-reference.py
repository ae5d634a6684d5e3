#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes stats-reference.txt: what NumPy and SciPy say about random samples, and median ranks and
intervals (Hettmansperger and Sheather 1986) by exact integer sums.
Run by hand (needs python3-numpy, python3-scipy): ./make-stats-reference.py > stats-reference.txt"""
from fractions import Fraction
from math import comb

import numpy as np
from scipy import stats


def rank(n, confidence):
    """Largest j with 2 P(Bin(n, 1/2) < j) <= 1 - confidence, in whole numbers; checked against SciPy's binomial."""
    limit = (1 - Fraction(confidence)) * 2**n / 2
    term, below, j = 1, 0, 0  # below = C(n, 0) + .. + C(n, j - 1)
    while j < (n + 1) // 2 and below + term <= limit:
        below += term
        term = term * (n - j) // (j + 1)
        j += 1
    if n < 2000:
        p = lambda k: 2 * stats.binom.cdf(k - 1, n, 0.5)
        assert j == 0 or p(j) <= 1 - confidence + 1e-12
        assert j == (n + 1) // 2 or p(j + 1) > 1 - confidence - 1e-12
    return j


def interval(x, confidence):
    """Interpolated between the order statistics j and j+1 from each end, in fractions; empty when there is none."""
    n, x = len(x), sorted(map(Fraction, map(float, x)))
    j = rank(n, confidence)
    if j == 0:
        return []
    covers = lambda k: 1 - 2 * Fraction(sum(comb(n, i) for i in range(k)), 2**n)
    share = (covers(j) - Fraction(confidence)) / (covers(j) - covers(j + 1))
    w = (n - j) * share / (j + (n - 2 * j) * share)
    return [float((1 - w) * x[j - 1] + w * x[j]), float((1 - w) * x[n - j] + w * x[n - j - 1])]


def main():
    rng = np.random.default_rng(20240607)
    print("# sample: n values | median mean min max p95 q10 q37 q99.9 cv | rank(0.95) low high (96 %)")
    makers = [
        lambda n: rng.normal(1e6, 1e4, n),
        lambda n: rng.lognormal(3, 2, n),
        lambda n: rng.integers(0, 4, n).astype(float),  # ties
        lambda n: rng.exponential(1e-9, n),
        lambda n: 1e15 + rng.integers(0, 3, n),  # spread far below the level
        lambda n: rng.normal(1, 1, n) * 1e300,
    ]
    for n in [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 16, 23, 53, 101]:
        for make in makers:
            x = make(n)
            wide = x.astype(np.longdouble)
            mean = wide.mean()
            cv = np.sqrt(((wide - mean)**2).sum() / (n - 1)) / mean if n > 1 and mean != 0 else 0.0
            if n > 1 and mean != 0 and abs(x).max() < 1e100:
                assert np.isclose(float(cv), stats.variation(x, ddof=1), rtol=1e-9), (x, cv)
            figures = [np.median(x), float(mean), x.min(), x.max()] + [np.quantile(x, q) for q in (.95, .1, .37, .999)]
            figures.append(float(cv))
            print("sample", n, *map(repr, map(float, x)), "|", *map(repr, map(float, figures)), "|", rank(n, 0.95),
                  *map(repr, interval(x, 0.96)))
    print("# rank: n confidence rank")
    for n in list(range(1, 61)) + [99, 100, 101, 500, 999, 1000, 5000, 15999, 16000, 16001, 50001, 100000, 123457]:
        for confidence in (0.5, 0.75, 0.9, 0.95, 0.975, 0.99, 0.999):
            print("rank", n, confidence, rank(n, confidence))


if __name__ == "__main__":
    main()
