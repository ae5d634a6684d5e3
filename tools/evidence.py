# SPDX-License-Identifier: MIT
"""What the scripts of evidence (tools/studies, tests/peers) share: the exact interval of a median, crossings by logarithmic
interpolation, METG, tables, and the description of the machine. Standard library only."""
import datetime
import json
import math
import os
import pathlib
import platform
import re
import subprocess

CONFIDENCE = 0.95


class NoFigure(Exception):
    """A figure that the measurements do not give, with the reason."""


# ---- Medians and their intervals ----

def median_rank(n, confidence=CONFIDENCE):
    """The largest j such that [x(j), x(n+1-j)] covers the median with at least `confidence`: 2 P(Bin(n, 1/2) < j) <= 1 -
    confidence. 0: n is too small."""
    tail, rank = 0, 0
    for j in range(1, n // 2 + 1):
        tail += math.comb(n, j - 1)
        if 2 * tail > (1 - confidence) * 2 ** n:
            break
        rank = j
    return rank


def median_interval(values, confidence=CONFIDENCE):
    """[low, high] of the median by order statistics, or None for fewer than 6 values."""
    rank = median_rank(len(values), confidence)
    if rank == 0:
        return None
    ordered = sorted(values)
    return [ordered[rank - 1], ordered[len(ordered) - rank]]


def median(values):
    """As statistics.median, for infinities too: nan between two that differ in sign."""
    ordered = sorted(values)
    low, high = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    if math.isinf(low) and math.isinf(high) and low != high:
        return math.nan
    return low if low == high else (low + high) / 2


def quantile(values, q):
    """Type 7 (R's and NumPy's default)."""
    ordered, at = sorted(values), q * (len(values) - 1)
    low, high = ordered[math.floor(at)], ordered[math.ceil(at)]
    return low if low == high else low + (high - low) * (at - math.floor(at))


def summary(values):
    return {"n": len(values), "median": median(values), "ci": median_interval(values), "q1": quantile(values, 0.25),
            "q3": quantile(values, 0.75),
            "min": min(values), "max": max(values)}


def paired(above, below):
    """Ratios above/below within rounds; both are lists by round."""
    if len(above) != len(below):
        raise ValueError(f"{len(above)} and {len(below)} rounds do not pair")
    return [a / b for a, b in zip(above, below)]


def sign_test(successes, n):
    """One-sided: the probability of at least this many successes of n when either outcome is equally likely."""
    return sum(math.comb(n, k) for k in range(successes, n + 1)) / 2 ** n


def judge(ratios, limit):
    """Is the median ratio at most `limit`? 'kept', 'missed', or 'undecided' when its interval holds the limit."""
    low, high = median_interval(ratios) or [-math.inf, math.inf]
    return "kept" if high <= limit else "missed" if low > limit else "undecided"


# ---- Crossings ----

def log_crossing(x0, y0, x1, y1, level):
    """Where y, linear in log x between two points, is `level`."""
    return math.exp(math.log(x0) + (level - y0) / (y1 - y0) * (math.log(x1) - math.log(x0)))


def crossover(sizes, serial, pool):
    """The size from which on the pool is faster than serial, log(pool/serial) taken as linear in log(size) between the two
    sizes around it. -inf: faster at the smallest size already; inf: not at the largest."""
    gain = [math.log(p / s) for s, p in zip(serial, pool)]
    first = len(gain)
    while first > 0 and gain[first - 1] < 0:
        first -= 1
    if first == 0:
        return -math.inf
    if first == len(gain):
        return math.inf
    return log_crossing(sizes[first - 1], gain[first - 1], sizes[first], gain[first], 0)


def metg(work, wall, level=0.5):
    """METG(50 %) of one sweep. `work`: durations of one task alone, by the reference that all share; `wall`: of a run with
    one task per core. Returns (work in the smallest such task, its granularity as Task Bench defines it: wall time x cores
    / tasks, here the wall time); efficiency = work / wall is taken as linear in log(work) between points. (inf, inf): not even
    the largest task gets there. NoFigure: the sweep proves nothing."""
    points = sorted(zip(work, wall))
    efficiency = [w / t for w, t in points]
    if max(efficiency) > 1.5:
        raise NoFigure(f"an efficiency of {max(efficiency):.2f} > 1.5: the reference rate is not that of this machine")
    if efficiency[0] >= level:
        raise NoFigure(f"no point lies below {level}: the smallest task, {points[0][0]:.3g} ns, has {efficiency[0]:.2f}")
    for i in range(1, len(points)):
        if efficiency[i] >= level:
            at = log_crossing(points[i - 1][0], efficiency[i - 1], points[i][0], efficiency[i], level)
            return at, at / level
    return math.inf, math.inf


# ---- Writing ----

def number(value, digits=3):
    """Three significant digits, no exponent: 0.0123, 1.23, 12.3, 1230."""
    if value == 0 or not math.isfinite(value):
        return str(value)
    rounded = round(value, digits - 1 - math.floor(math.log10(abs(value))))
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(rounded))))
    return f"{rounded:,.{decimals}f}".replace(",", " ")


def count(value):
    return f"{value:,}".replace(",", " ")


def duration(ns):
    if math.isinf(ns):
        return "beyond the sweep"
    for unit, size in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if abs(ns) >= size:
            return f"{number(ns / size)} {unit}"
    return f"{number(ns)} ns"


def with_interval(what, form=number):
    """'median [low, high]' of a summary, or of the values themselves."""
    what = what if isinstance(what, dict) else summary(what)
    return form(what["median"]) + (f" [{form(what['ci'][0])}, {form(what['ci'][1])}]" if what["ci"] else "")


def table(head, rows):
    """Markdown; every column but the first to the right."""
    lines = ["| " + " | ".join(head) + " |", "|" + "|".join(["---"] + ["---:"] * (len(head) - 1)) + "|"]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows])


def replace_section(text, name, body):
    """The text with what is between <!-- name --> and <!-- /name --> replaced."""
    pattern = re.compile(rf"(<!-- {re.escape(name)} -->\n).*?(<!-- /{re.escape(name)} -->)", re.S)
    found, count = pattern.subn(lambda m: m.group(1) + body.rstrip() + "\n" + m.group(2), text)
    if count != 1:
        raise NoFigure(f"{count} sections <!-- {name} --> in the page, expected one")
    return found


def strict_json(value):
    """JSON without infinities: they become null."""
    def clean(item):
        if isinstance(item, dict):
            return {key: clean(x) for key, x in item.items()}
        if isinstance(item, (list, tuple)):
            return [clean(x) for x in item]
        return None if isinstance(item, float) and not math.isfinite(item) else item
    return json.dumps(clean(value), indent=1, allow_nan=False) + "\n"


# ---- The machine ----

def first_match(path, pattern):
    try:
        found = re.search(pattern, pathlib.Path(path).read_text(errors="replace"), re.M)
    except OSError:
        return None
    return found.group(1).strip() if found else None


def machine(build):
    """Of the machine that this process runs on; `build`: a build folder, for compiler and options."""
    flags = first_match("/proc/cpuinfo", r"^flags\s*:(.*)") or ""
    build = pathlib.Path(build)
    command = json.loads((build / "compile_commands.json").read_text())[0]["command"].split()
    compiler = next(word for word in command if "ccache" not in word)
    version = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    options = {o["name"]: o["value"] for o in json.loads((build / "meson-info" / "intro-buildoptions.json").read_text())}
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
        "cpu": first_match("/proc/cpuinfo", r"^model name\s*:(.*)") or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "virtual": "yes" if "hypervisor" in flags.split() else "no",
        "kernel": platform.release(),
        "os": first_match("/etc/os-release", r'^PRETTY_NAME="?([^"\n]*)') or platform.system(),
        "clock": first_match("/sys/devices/system/clocksource/clocksource0/current_clocksource", r"(.*)") or "unknown",
        "compiler": f"{version}, {options['buildtype']}",
        "libc": " ".join(platform.libc_ver()),
        "load": f"{os.getloadavg()[0]:.2f} (one minute's, when the run began)",
    }


def machine_text(facts):
    return "\n".join(f"- {name}: {value}" for name, value in facts.items())
