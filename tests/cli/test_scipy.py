# SPDX-License-Identifier: MIT
"""core/stats against SciPy, NumPy, whole-number arithmetic and brute force, on random input (seeded): ties, tiny n, constant
data, negative, huge and small magnitudes; to 1e-9. What SciPy has no exact form of is computed here in another way:
signed ranks with ties by going through all signs (n <= 12), Kendall's and Mann and Whitney's distributions in fractions."""
import itertools
import json
import math
import os
import subprocess
from fractions import Fraction
from functools import lru_cache

import pytest

np = pytest.importorskip("numpy", reason="NumPy is missing: tools/install-packages test")
stats = pytest.importorskip("scipy.stats", reason="SciPy is missing: tools/install-packages test")
EVAL = os.environ["STATS_EVAL"]
EACH = 1000


def evaluate(queries):
    text = "".join(json.dumps(q) + "\n" for q in queries)
    done = subprocess.run([EVAL], input=text, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == len(queries)
    return [None if line == "none" else [float(word) for word in line.split()] for line in lines]


def close(found, expected, scale=0.0):
    """Relative to the expected figure, or to the data it came from where that is near 0 by cancellation."""
    return abs(found - expected) <= 1e-9 * max(abs(expected), scale)


def sample(rng, n, kind):
    x = {0: lambda: rng.normal(0, 1, n), 1: lambda: rng.lognormal(0, 2, n), 2: lambda: rng.integers(-3, 4, n).astype(float),
         3: lambda: rng.normal(5, 1, n) * 1e290, 4: lambda: rng.normal(-1, 3, n) * 1e-290, 5: lambda: np.full(n, 3.25),
         6: lambda: 1e6 + rng.normal(0, 1, n), 7: lambda: rng.normal(0, 1, n).round(1)}[kind]()
    return [float(v) for v in x]


def samples(seed, least=1, most=40, count=EACH):
    rng = np.random.default_rng(seed)
    return [sample(rng, int(rng.integers(least, most + 1)), i % 8) for i in range(count)]


def tied(x):
    return len(set(map(abs, x))) < len(x)


def test_signed_rank_against_scipy():
    xs = [x for x in samples(1, 1, 40, 3 * EACH) if not tied(x) and 0 not in x]
    xs += [[float(v) for v in np.random.default_rng(n).normal(0.2, 1, n)] for n in (60, 150, 201, 500)]
    assert len(xs) >= EACH
    for x, (found,) in zip(xs, evaluate([{"f": "signed_rank_p", "x": x} for x in xs])):
        expected = stats.wilcoxon(x, alternative="greater", mode="exact").pvalue if len(x) <= 50 else exact_tail(x)
        assert close(found, expected), x


@lru_cache(None)
def rank_counts(n):
    counts = [1]
    for rank in range(1, n + 1):
        counts = [(counts[w] if w < len(counts) else 0) + (counts[w - rank] if 0 <= w - rank < len(counts) else 0)
                  for w in range(len(counts) + rank)]
    return counts


def exact_tail(x):
    ranks = stats.rankdata(np.abs(x))
    w = int(ranks[np.array(x) > 0].sum())
    return float(Fraction(sum(rank_counts(len(x))[w:]), 2**len(x)))


def test_signed_rank_ties_against_brute_force():
    rng = np.random.default_rng(2)
    queries, expected = [], []
    for i in range(EACH):
        n = int(rng.integers(1, 13 if i % 10 == 0 else 10))
        x = rng.integers(-3, 5, n).astype(float) * (1, 1e200, 1e-200, -1)[i % 4]
        shift = float(x[0]) if i % 5 == 0 else 0.0
        queries.append({"f": "signed_rank_p", "x": x.tolist(), "shift": shift})
        left = x - shift
        left = left[left != 0]
        ranks = stats.rankdata(np.abs(left))
        signs = np.array(list(itertools.product((0, 1), repeat=len(left)))).reshape(2**len(left), len(left))
        expected.append(float((signs @ ranks >= ranks[left > 0].sum() - 1e-9).mean()) if len(left) else 1.0)
    for q, (found,), e in zip(queries, evaluate(queries), expected):
        assert close(found, e), q


def walsh(x):
    i, j = np.triu_indices(len(x))
    return np.sort(np.array(x)[i] / 2 + np.array(x)[j] / 2)


def test_hodges_lehmann():
    xs = samples(3, 1, 60)
    for x, (found,) in zip(xs, evaluate([{"f": "hodges_lehmann", "x": x} for x in xs])):
        w = walsh(x)
        assert close(found, w[(len(w) - 1) // 2] / 2 + w[len(w) // 2] / 2, max(map(abs, x))), x


def test_hodges_lehmann_interval():
    xs = samples(4, 1, 45)
    levels = [(0.95, 0.9, 0.99)[i % 3] for i in range(len(xs))]
    queries = [{"f": "hodges_lehmann_interval", "x": x, "confidence": c} for x, c in zip(xs, levels)]
    for x, c, found in zip(xs, levels, evaluate(queries)):
        counts, below, k = rank_counts(len(x)), 0, 0
        while 2 * Fraction(below + counts[k], 2**len(x)) <= 1 - Fraction(str(c)) and k < len(counts) - 1:
            below += counts[k]
            k += 1
        assert (found is None) == (k == 0), (x, c)
        if found:
            w = walsh(x)
            assert close(found[0], w[k - 1]) and close(found[1], w[len(w) - k]), (x, c)


def test_benjamini_hochberg():
    rng = np.random.default_rng(5)
    ps = [rng.random(int(rng.integers(1, 40))) ** (1 + i % 4) for i in range(EACH)]
    ps = [np.round(p, 2) if i % 5 == 0 else p for i, p in enumerate(ps)]
    for p, found in zip(ps, evaluate([{"f": "benjamini_hochberg", "x": p.tolist()} for p in ps])):
        order = np.argsort(p, kind="stable")
        adjusted = np.empty(len(p))
        adjusted[order] = np.minimum.accumulate((p[order] * len(p) / np.arange(1, len(p) + 1))[::-1])[::-1]
        assert all(close(f, e) for f, e in zip(found, np.minimum(adjusted, 1)))


def pairs(seed, most=25, count=EACH):
    rng = np.random.default_rng(seed)
    return [(sample(rng, int(rng.integers(1, most + 1)), i % 8), sample(rng, int(rng.integers(1, most + 1)), i % 8))
            for i in range(count)]


def test_shift():
    data = pairs(8)
    for (x, y), (found,) in zip(data, evaluate([{"f": "shift", "x": x, "y": y} for x, y in data])):
        d = np.sort(np.subtract.outer(np.array(y), np.array(x)).ravel())
        assert close(found, d[(len(d) - 1) // 2] / 2 + d[len(d) // 2] / 2, max(map(abs, x + y))), (x, y)


@lru_cache(None)
def whitney_counts(n, m):
    if n == 0 or m == 0:
        return (1,)
    a, b = whitney_counts(n - 1, m), whitney_counts(n, m - 1)
    return tuple((a[u - m] if 0 <= u - m < len(a) else 0) + (b[u] if u < len(b) else 0) for u in range(n * m + 1))


def between(counts, alpha):
    """The largest k with 2 P(below k) <= alpha, and how far alpha is on the way to k + 1."""
    total, below, k = sum(counts), 0, 0
    while k < len(counts) // 2 and 2 * Fraction(below + counts[k], total) <= alpha:
        below += counts[k]
        k += 1
    here, there = 2 * Fraction(below, total), 2 * Fraction(below + counts[k], total)
    return k, float(min((alpha - here) / (there - here), 1))


def limits(values, k, part):
    v = np.sort(values)
    return ((1 - part) * v[k - 1] + part * v[min(k, len(v) - 1)],
            (1 - part) * v[len(v) - k] + part * v[max(len(v) - k - 1, 0)])


def test_shift_interval():
    data = pairs(9, 14)
    levels = [("0.95", "0.9", "0.99")[i % 3] for i in range(len(data))]
    queries = [{"f": "shift_interval", "x": x, "y": y, "confidence": float(c)} for (x, y), c in zip(data, levels)]
    for (x, y), c, found in zip(data, levels, evaluate(queries)):
        k, part = between(whitney_counts(min(len(x), len(y)), max(len(x), len(y))), 1 - Fraction(c))
        assert (found is None) == (k == 0), (x, y, c)
        if found:
            expected = limits(np.subtract.outer(np.array(y), np.array(x)).ravel(), k, part)
            assert all(close(f, e, max(map(abs, x + y))) for f, e in zip(found, expected)), (x, y, c)


@lru_cache(None)
def inversion_counts(n):
    counts = [1]
    for i in range(2, n + 1):
        counts = [sum(counts[max(0, s - i + 1):s + 1]) for s in range(len(counts) + i - 1)]
    return counts


def test_trend():
    """The slope is SciPy's; its interval there is the normal distribution's, rounded, so it is computed here."""
    xs = samples(10, 2, 40)
    levels = [("0.95", "0.9", "0.99")[i % 3] for i in range(len(xs))]
    queries = [{"f": "trend", "x": x, "confidence": float(c)} for x, c in zip(xs, levels)]
    found_some = 0
    for x, c, found in zip(xs, levels, evaluate(queries)):
        k, part = between(inversion_counts(len(x)), 1 - Fraction(c))
        assert (found is None) == (k == 0 or len(x) < 6), (x, c)
        if not found:
            continue
        found_some += 1
        slope = stats.theilslopes(x, np.arange(len(x))).slope
        i, j = np.triu_indices(len(x), 1)
        slopes = (np.array(x)[j] - np.array(x)[i]) / (j - i)
        scale = max(map(abs, x))
        assert close(found[0], slope, scale), (x, c)
        assert all(close(f, e, scale) for f, e in zip(found[1:], limits(slopes, k, part))), (x, c)
    assert found_some >= 800


def test_summary_and_quantiles():
    xs = samples(11, 1, 80)
    rng = np.random.default_rng(12)
    qs = [float(q) for q in rng.random(len(xs))]
    quantiles = evaluate([{"f": "quantile", "x": x, "q": q} for x, q in zip(xs, qs)])
    for x, q, (quantile,), found in zip(xs, qs, quantiles, evaluate([{"f": "summary", "x": x} for x in xs])):
        wide = np.array(x, dtype=np.longdouble)
        scale = max(map(abs, x))
        for f, e in zip(found, (np.median(wide), wide.min(), wide.max(), wide.mean(), np.quantile(wide, 0.95))):
            assert close(f, float(e), scale), x
        assert close(quantile, float(np.quantile(wide, q)), scale), (x, q)
        if len(x) > 1 and abs(wide.mean()) > 1e-3 * scale:
            assert close(found[5], float(wide.std(ddof=1) / wide.mean()), 1e-6), x


def test_ranks_against_the_binomial():
    queries, expected = [], []
    for n in range(1, 400):
        for c in (0.5, 0.9, 0.95, 0.99):
            queries.append({"f": "median_rank", "n": n, "confidence": c})
            cdf = stats.binom.cdf(np.arange(n), n, 0.5)
            expected.append(min(int((2 * cdf <= 1 - c + 1e-13).sum()), (n + 1) // 2))
    assert len(queries) >= EACH
    for q, (found,), e in zip(queries, evaluate(queries), expected):
        assert found == e, q


def median_interval(x, c):
    x, n = np.sort(x), len(x)
    below = lambda k: Fraction(sum(math.comb(n, i) for i in range(k)), 2**n)
    k = 0
    while k < (n + 1) // 2 and 2 * below(k + 1) <= 1 - c:
        k += 1
    if k == 0:
        return None
    if 2 * k >= n:
        return x[k - 1], x[n - k]
    here, there = 1 - 2 * below(k), 1 - 2 * below(k + 1)
    share = (here - c) / (here - there)
    w = float((n - k) * share / (k + (n - 2 * k) * share))
    return (1 - w) * x[k - 1] + w * x[k], (1 - w) * x[n - k] + w * x[n - k - 1]


def test_median_interval():
    xs = samples(13, 1, 80)
    levels = [("0.95", "0.9", "0.96", "0.5")[i % 4] for i in range(len(xs))]
    queries = [{"f": "median_interval", "x": x, "confidence": float(c)} for x, c in zip(xs, levels)]
    for x, c, found in zip(xs, levels, evaluate(queries)):
        expected = median_interval(x, Fraction(c))
        assert (found is None) == (expected is None), (x, c)
        if found:
            assert all(close(f, e, max(map(abs, x))) for f, e in zip(found, expected)), (x, c)


def lag1(x):
    d = np.array(x, dtype=np.longdouble)
    d = d - d.mean()
    return float((d[1:] * d[:-1]).sum() / (d * d).sum()) if len(x) > 2 and len(set(x)) > 1 else 0.0


def effective(x):
    n = len(x)
    if n < 10 or len(set(x)) == 1:
        return float(n)
    r = min(max((n * lag1(stats.rankdata(x)) + 1) / (n - 3), 0), 0.95)
    return max(n * (1 - r) / (1 + r), 1)


def test_autocorrelation_and_effective_n():
    xs = samples(14, 1, 80)
    xs = [list(np.cumsum(x)) if i % 3 == 0 and i % 8 not in (3, 5) else x for i, x in enumerate(xs)]
    plain = evaluate([{"f": "autocorrelation", "x": x} for x in xs])
    for x, (r,), (worth,) in zip(xs, plain, evaluate([{"f": "effective_n", "x": x} for x in xs])):
        assert close(r, lag1(x), 1e-3), x
        assert close(worth, effective(x)), x


def test_series_interval():
    xs = [x for x in samples(15, 6, 80, 3 * EACH // 2) if min(x) > 0][:EACH]
    for x, found in zip(xs, evaluate([{"f": "series_interval", "x": x} for x in xs])):
        low, high = median_interval(x, Fraction("0.95"))
        worth, middle = len(x) / effective(x), float(np.median(x))
        stretch = math.sqrt(worth) * (1 + 4 * (worth - 1) / len(x))
        assert close(found[0], middle * (low / middle)**stretch) and close(found[1], middle * (high / middle)**stretch), x


def test_ratio_interval():
    rng = np.random.default_rng(16)
    data = [(rng.lognormal(1, 0.5, int(rng.integers(1, 60))).tolist(), rng.lognormal(0, 0.2, int(rng.integers(1, 60))).tolist())
            for _ in range(EACH)]

    def side(x):
        n = len(x)
        low, high = median_interval(x, Fraction(955, 1000) - Fraction(22, 100) / n)
        worth, middle = n / effective(x), float(np.median(x))
        r = (worth - 1) / (worth + 1)
        stretch = math.sqrt(worth) * (1 + 4 * (worth - 1) / n) if r * math.sqrt(n) > 1.64 else 1
        return math.log(middle), stretch * math.log(middle / low), stretch * math.log(high / middle)

    for (x, y), found in zip(data, evaluate([{"f": "ratio_interval", "x": x, "y": y} for x, y in data])):
        assert (found is None) == (min(len(x), len(y)) < 6)
        if found:
            (a, a_down, a_up), (b, b_down, b_up) = side(x), side(y)
            assert close(found[0], math.exp(a - b - math.hypot(a_down, b_up))), (x, y)
            assert close(found[1], math.exp(a - b + math.hypot(a_up, b_down))), (x, y)
