#!/usr/bin/python3
"""The tables and the figures of docs/study-cifar10.md, from what scripts/study_cifar10.sh has measured.

    python3 scripts/study_cifar10_tables.py DIR IMAGES

Prints a table in Markdown for each file of DIR that is there, and draws IMAGES/study-cifar10-*.svg. The errors of
differences are of the same images or resamples, paired. Needs h5py and matplotlib (Debian: python3-h5py,
python3-matplotlib).
"""
import csv
import glob
import os
import sys

import h5py
import matplotlib
import numpy as np

matplotlib.use("svg")
matplotlib.rcParams.update({"svg.hashsalt": "varhead", "svg.fonttype": "none"})
import matplotlib.pyplot as plt  # noqa: E402

DIR, IMAGES = sys.argv[1:3] if len(sys.argv) == 3 else sys.exit(__doc__)


# -- Reading -----------------------------------------------------------------------------------------------------------

def path(*parts):
    return os.path.join(DIR, *parts)


def rows(*parts):
    """The rows of a CSV file as dictionaries."""
    with open(path(*parts), newline="") as file:
        return list(csv.DictReader(file))


class Bounds:
    """nll.h5: the bounds of each image."""

    def __init__(self, *parts):
        self.file = h5py.File(path(*parts), "r")

    def names(self):
        return list(self.file)

    def cells(self, trajectory="linear"):
        found = {int(cell.split("_")[-1]) for name in self.names() if isinstance(self.file[name], h5py.Group)
                 for cell in self.file[name] if cell.startswith(trajectory + "_")}
        return sorted(found)

    def each(self, variance, steps, trajectory="linear"):
        cell = f"{variance}/{trajectory}_{steps}"
        return self.file[cell + "/bits_per_dim_each"][()] if cell in self.file else None

    def timesteps(self, variance, steps, trajectory):
        return self.file[f"{variance}/{trajectory}_{steps}/timesteps"][()]


class Quality:
    """quality.h5: values of each metric, the first of all images, the others of resamples."""

    def __init__(self, *parts):
        file = h5py.File(path(*parts), "r")
        self.names = file["cells"][()].decode().split("\n")
        self.metrics = file["metrics"][()].decode().split("\n")
        self.values = file["values"][()]

    def variances(self):
        return list(dict.fromkeys(name.split("/")[0] for name in self.names if "/" in name))

    def steps(self):
        return sorted({int(name.split("_")[-1]) for name in self.names if "/" in name})

    def get(self, variance, steps, metric="frechet"):
        sampler = "ddim" if any("/ddim_" in name for name in self.names) else "ddpm"
        name = f"{variance}/{sampler}_linear_{steps}" if variance != "real" else "real"
        if name not in self.names:
            return None
        return self.values[self.names.index(name), self.metrics.index(metric)]


# -- Writing -----------------------------------------------------------------------------------------------------------

def number(value, error, digits):
    return f"{value:.{digits}f} ± {error:.{digits}f}"


def bound(each, digits=3):
    return "" if each is None else number(each.mean(), each.std(ddof=1) / len(each) ** 0.5, digits)


def distance(values, digits=2):
    return "" if values is None else number(values[0], values[1:].std(ddof=1), digits)


def table(title, head, body):
    print(f"\n### {title}\n")
    print("| " + " | ".join(head) + " |")
    print("| " + " | ".join("---" for _ in head) + " |")
    for row in body:
        print("| " + " | ".join(row) + " |")


def difference(a, b, show, digits):
    return "" if a is None or b is None else show(a - b, digits)


def bounds_table(title, bounds, reference, trajectory="linear"):
    steps = bounds.cells(trajectory)
    names = [name for name in bounds.names() if isinstance(bounds.file[name], h5py.Group)]
    head = ["bits/dim"] + [f"K = {k}" for k in steps]
    table(title, head, [[n] + [bound(bounds.each(n, k, trajectory)) for k in steps] for n in names])
    if reference in names:
        table(title + f", less {reference}", head,
              [[n] + [difference(bounds.each(n, k, trajectory), bounds.each(reference, k, trajectory), bound, 3)
                      for k in steps] for n in names if n != reference])


def quality_table(title, quality, reference, metric="frechet", digits=2):
    steps = quality.steps()
    head = [metric] + [f"K = {k}" for k in steps]
    names = quality.variances() + ["real"]
    table(title, head, [[n] + [distance(quality.get(n, k, metric), digits) for k in steps] for n in names])
    if reference in names:
        table(title + f", less {reference}", head,
              [[n] + [difference(quality.get(n, k, metric), quality.get(reference, k, metric), distance, digits)
                      for k in steps] for n in names if n not in (reference, "real")])


def tuned_table(title, quality):
    """The best correction of each cell is in its name: npr-eps1.01/ddpm_linear_10."""
    def gain(cell):
        variance, steps = cell.split("/")[0], int(cell.split("_")[-1])
        plain, tuned = quality.get(variance.split("-")[0], steps), quality.get(variance, steps)
        return [variance, str(steps), distance(plain), distance(tuned), distance(plain - tuned)]
    table(title, ["variance", "K", "without", "with", "gain"],
          [gain(name) for name in quality.names if "-" in name.split("/")[0]])


def figure(name, draw, x, y, **axes):
    canvas, plot = plt.subplots(figsize=(6.4, 4), layout="constrained")
    draw(plot)
    plot.set(xlabel=x, ylabel=y, **axes)
    plot.grid(alpha=0.3)
    if plot.get_legend_handles_labels()[0]:
        plot.legend(fontsize=8)
    canvas.savefig(os.path.join(IMAGES, f"study-cifar10-{name}.svg"), metadata={"Date": None})
    plt.close(canvas)


def bars(name, lines, x):
    """A bar with its error for each of {name: (value, error)}, the first on top."""
    values, errors = zip(*lines.values())
    canvas, plot = plt.subplots(figsize=(6.4, 0.8 + 0.22 * len(lines)), layout="constrained")
    plot.barh(range(len(lines)), values, xerr=errors, color="#9ab", capsize=2)
    plot.set_yticks(range(len(lines)), lines, fontsize=7)
    plot.invert_yaxis()
    plot.set_xlabel(x)
    canvas.savefig(os.path.join(IMAGES, f"study-cifar10-{name}.svg"), metadata={"Date": None})
    plt.close(canvas)


def there(*parts):
    return os.path.exists(path(*parts))


# -- The parts of the study --------------------------------------------------------------------------------------------

def calibration(*parts):
    """{variance: (t, ratio)}: the squared error of the mean over the predicted variance."""
    lines = {}
    for row in rows(*parts):
        lines.setdefault(row["variance"], []).append((int(row["t"]), float(row["ratio"])))
    return {name: np.array(sorted(points)).T for name, points in lines.items()}


def smooth(t, ratio):
    """Geometric means of twenty timesteps."""
    return t.reshape(-1, 20).mean(axis=1), np.exp(np.log(ratio).reshape(-1, 20).mean(axis=1))


def likelihood():
    for schedule in ("linear", "cosine"):
        if not there(schedule, "nll.h5"):
            continue
        bounds = Bounds(schedule, "nll.h5")
        bounds_table(f"bounds, {schedule}", bounds, "nll")
        if there(schedule, "floor.h5"):
            bounds_table(f"bounds with a floor, {schedule}", Bounds(schedule, "floor.h5"), "npr-floor0.03")
            floor = Bounds(schedule, "floor.h5")
            table(f"npr with floor less nll, {schedule}", [f"K = {k}" for k in floor.cells()],
                  [[difference(floor.each("npr-floor0.03", k), bounds.each("nll", k), bound, 3)
                    for k in floor.cells()]])
        shown = [n for n in ("beta", "analytic", "sn", "npr", "ocm", "nll", "nll_block") if n in bounds.names()]
        figure(f"bounds-{schedule}",
               lambda p: [p.plot(bounds.cells(), [bounds.each(n, k).mean() for k in bounds.cells()], "o-", label=n)
                          for n in shown], "steps K", "bits/dim", xscale="log", ylim=(3.5, 9))
        ratios = calibration(schedule, "nll-calibration.csv")
        shown = [n for n in ("sn", "npr", "ocm", "nll") if n in ratios]
        figure(f"calibration-{schedule}", lambda p: [p.plot(*smooth(*ratios[n]), label=n) for n in shown],
               "timestep t", "Σ r² / Σ Cov", yscale="log")


def samples():
    for schedule in ("linear", "cosine"):
        if not there(schedule, "quality.h5"):
            continue
        quality = Quality(schedule, "quality.h5")
        for metric, digits in (("frechet", 2), ("kid", 3), ("precision", 3), ("recall", 3), ("sliced", 3)):
            quality_table(f"{metric}, {schedule}", quality, "npr", metric, digits)
        figure(f"samples-{schedule}",
               lambda p: [p.errorbar(quality.steps(), [quality.get(n, k)[0] for k in quality.steps()],
                                     [quality.get(n, k)[1:].std(ddof=1) for k in quality.steps()], marker="o",
                                     label=n, capsize=2) for n in quality.variances()],
               "steps K", "Fréchet distance", xscale="log")
        if there(schedule, "quality-ddim.h5"):
            quality_table(f"DDIM, {schedule}", Quality(schedule, "quality-ddim.h5"), "npr")
        scaled(schedule, quality)
        if there(schedule, "quality-average.h5"):
            quality_table(f"averaged over the image, {schedule}", Quality(schedule, "quality-average.h5"), "npr")


def scaled(schedule, plain):
    """The distance against the factor of Cov, at the least K."""
    steps = plain.steps()[0]
    lines = {n: {1.0: plain.get(n, steps)} for n in ("analytic", "sn", "npr", "nll")}
    for name in glob.glob(path(schedule, "quality-x*.h5")):
        quality = Quality(os.path.relpath(name, DIR))
        for label in quality.variances():
            variance, factor = label.split("-x")
            lines[variance][float(factor)] = quality.get(label, steps)
    if all(len(line) < 2 for line in lines.values()):
        return
    factors = sorted({f for line in lines.values() for f in line})
    table(f"Fréchet distance against the factor, K = {steps}, {schedule}", ["factor"] + [f"{f:g}" for f in factors],
          [[n] + [distance(line.get(f)) for f in factors] for n, line in lines.items()])
    best = {n: min(line.values(), key=lambda v: v[0]) for n, line in lines.items()}
    table("the best factor of each, less that of sn", ["variance", "difference"],
          [[n, distance(best[n] - best["sn"])] for n in lines if n != "sn"])
    figure(f"scale-{schedule}",
           lambda p: [p.plot(sorted(line), [line[f][0] for f in sorted(line)], "o-", label=n)
                      for n, line in lines.items()], "factor of Cov", f"Fréchet distance, K = {steps}", xscale="log")


def seen():
    curves, body, sizes, heads, distances = {}, [], [], [], []
    for name in sorted(glob.glob(path("seen-*-first", "errors-calibration.csv"))):
        network = os.path.relpath(os.path.dirname(name), DIR)[: -len("-first")]
        if not there(f"{network}-second", "nll.h5"):
            continue
        size, seed = network.split("-")[1:]
        first, second = (calibration(f"{network}-{part}", "errors-calibration.csv")["beta"]
                         for part in ("first", "second"))
        ratio = first[1] / second[1]
        curves.setdefault(size, []).append((first[0], ratio))
        groups = np.array_split(np.arange(len(ratio)), 5)
        body.append([size, seed] + [f"{np.exp(np.log(ratio[g]).mean()):.3f}" for g in groups])
        for part, images in (("first", "seen"), ("second", "unseen")):
            for variance, (t, r) in calibration(f"{network}-{part}", "nll-calibration.csv").items():
                of_group = np.searchsorted([first[0][g[-1]] for g in groups], t)
                sizes.append([size, seed, images, variance]
                             + [f"{np.exp(np.log(r[of_group == g]).mean()):.2f}" for g in range(5)])
        head = ["images", "seed"] + [f"t = {int(first[0][g[0]])} to {int(first[0][g[-1]])}" for g in groups]
        one, other = (Bounds(f"{network}-{part}", "nll.h5") for part in ("first", "second"))
        for variance in ("sn", "npr", "nll"):
            heads.append([size, seed, variance] + [difference(one.each(variance, k), other.each(variance, k), bound, 4)
                                                   for k in one.cells()])
        if there(f"{network}-first", "quality.h5"):
            near, far = (Quality(f"{network}-{part}", "quality.h5") for part in ("first", "second"))
            for variance in ("sn", "npr", "nll"):
                distances.append([size, seed, variance]
                                 + [distance(near.get(variance, k)) for k in near.steps()]
                                 + [difference(near.get(variance, k), far.get(variance, k), distance, 3)
                                    for k in near.steps()])
            distance_steps = near.steps()
    if not body:
        return
    table("squared error of the mean, seen images over unseen ones", head, body)
    table("Σ r² / Σ Cov of test images", ["images", "seed", "heads of", "variance"] + head[2:], sizes)
    table("bounds of test images, heads of seen images less heads of unseen ones",
          ["images", "seed", "variance"] + [f"K = {k}" for k in one.cells()], heads)
    if distances:
        table("Fréchet distances with heads of seen images; less those with heads of unseen ones",
              ["images", "seed", "variance"] + [f"K = {k}" for k in distance_steps] * 2, distances)
    figure("seen", lambda p: [p.plot(lines[0][0], np.exp(np.mean([np.log(r) for _, r in lines], axis=0)),
                                     label=f"trained on {size} images") for size, lines in curves.items()],
           "timestep t", "squared error, seen / unseen")


def together():
    weights = sorted(glob.glob(path("together-*", "table.csv")))
    lines, values = {}, {}
    for name in weights:
        weight = os.path.basename(os.path.dirname(name)).split("-")[1]
        for row in rows(os.path.relpath(name, DIR)):
            if row["network"] != "plain" or name == weights[0]:
                kind = "plain" if row["network"] == "plain" else f"λ = {weight}"
                error = f" ± {row['stderr']}" if row["stderr"] else ""
                key = kind, row["variance"], row["steps"], row["figure"]
                lines[key] = f"{float(row['mean']):.4g}{error}"
                values[key] = float(row["mean"]), float(row["stderr"] or "nan")
    if lines:
        columns = list(dict.fromkeys(key[2:] for key in lines))
        names = list(dict.fromkeys(key[:2] for key in lines))
        table("mean first, or together", ["network", "variance"] + [f"{f}, K = {k}" for k, f in columns],
              [[*name] + [lines.get((*name, *column), "") for column in columns] for name in names])
        bars("together", {" ".join(name): values[(*name, "10", "frechet")] for name in names
                          if (*name, "10", "frechet") in values}, "Fréchet distance, K = 10")


def diagonal():
    lines = {}
    for size in ("block2", "block4", "block8"):
        if there(f"linear-{size}", "nll.h5"):
            bounds = Bounds(f"linear-{size}", "nll.h5")
            bounds_table(f"bounds, {size}", bounds, "nll")
            lines["nll"] = [(k, bounds.each("nll", k).mean()) for k in bounds.cells()]
            lines[size] = [(k, bounds.each("nll_block", k).mean()) for k in bounds.cells()]
        if there(f"linear-{size}", "quality.h5"):
            quality_table(f"samples, {size}", Quality(f"linear-{size}", "quality.h5"), "nll")
    if lines:
        figure("diagonal", lambda p: [p.plot(*zip(*points), "o-", label=n) for n, points in lines.items()],
               "steps K", "bits/dim", xscale="log")


def full():
    for schedule in ("linear", "cosine"):
        for base in ("nll", "nll_block"):
            if there(schedule, "nll-full.h5"):
                bounds_table(f"the whole covariance, {schedule}", Bounds(schedule, "nll-full.h5"), base)
            if there(schedule, "quality-full.h5"):
                quality_table(f"samples of the whole covariance, {schedule}", Quality(schedule, "quality-full.h5"), base)


def mean():
    if there("linear", "quality-mean.h5"):
        quality = Quality("linear", "quality-mean.h5")
        quality_table("corrections of the mean", quality, "npr")
        bars("mean", {n: (v[0], v[1:].std(ddof=1)) for n in quality.variances() for v in [quality.get(n, 10)]},
             "Fréchet distance, K = 10")
    for correction in ("eps-scale", "dcw"):
        if there("linear", f"quality-{correction}.h5"):
            tuned_table(f"the best {correction}", Quality("linear", f"quality-{correction}.h5"))


def timesteps():
    for schedule in ("linear", "cosine"):
        if not there(schedule, "nll-dp.h5"):
            continue
        bounds = Bounds(schedule, "nll-dp.h5")
        bounds_table(f"linear timesteps, {schedule}", bounds, "nll")
        bounds_table(f"the best timesteps, {schedule}", bounds, "nll", "dp")
        names = [n for n in bounds.names() if isinstance(bounds.file[n], h5py.Group)]
        body = [[n] + [" ".join(str(t) for t in bounds.timesteps(n, k, "dp") if t > 0) for k in (5, 10)] for n in names]
        table(f"where the best timesteps lie, {schedule}", ["variance", "K = 5", "K = 10"], body)

        def draw(plot, bounds=bounds, names=names):
            for i, name in enumerate(names):
                t = [t for t in bounds.timesteps(name, 25, "dp") if t > 0]
                plot.plot(t, [i] * len(t), "|", markersize=14)
            plot.set_yticks(range(len(names)), names)
        figure(f"timesteps-{schedule}", draw, "timestep t, K = 25", "", xscale="log")


for part in (likelihood, samples, seen, together, diagonal, full, mean, timesteps):
    part()
