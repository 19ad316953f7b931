# SPDX-License-Identifier: MIT
"""One table of what was measured, what it was to reach, and whether it did."""

import json

MET, MISSED, NOT_RUN, RAN, FAILED = "met", "MISSED", "not run", "ran", "FAILED"


def shown(figures, key, form):
    return form.format(figures[key]) if figures.get(key) is not None else "-"


class Table:
    """
    A row's figures, each absent or None where it was not measured: peer, cairn (seconds of what
    the row goes by); faster, cpu_faster, of_limit (medians of ratios); memory, peer_memory (MiB).
    Its bounds: faster (at least), of_limit and memory (at most); absent: none.
    """

    HEADS = ("peer", "cairn", "faster", "target", "by cpu", "of limit", "target", "MiB", "peer's",
             "target", "verdict")
    WIDTHS = (8, 8, 7, 6, 7, 8, 6, 6, 6, 6, 7)
    NAME_WIDTH = 26

    def __init__(self, judges):
        self.judges = judges
        self.done = []
        self.line("", self.HEADS)

    def line(self, name, cells):
        padded = [c.rjust(w) for c, w in zip(cells, self.WIDTHS)]
        print(" ".join([name.ljust(self.NAME_WIDTH)] + padded), flush=True)

    def verdict(self, figures, bounds):
        """A bound that was not kept counts more than one that was not looked at."""
        if not self.judges:
            return RAN
        seen = [(figures.get(key), bound, key) for key, bound in bounds.items()]
        if any(f is not None and (f < b if key == "faster" else f > b) for f, b, key in seen):
            return MISSED
        return NOT_RUN if any(f is None for f, _, _ in seen) else MET

    def add(self, name, figures, bounds, verdict=None):
        verdict = verdict or self.verdict(figures, bounds)
        self.done.append({"row": name, "verdict": verdict, "bounds": bounds, **figures})
        self.line(name, [
            shown(figures, "peer", "{:.3f} s"), shown(figures, "cairn", "{:.3f} s"),
            shown(figures, "faster", "{:.1f} x"), shown(bounds, "faster", "{:g}"),
            shown(figures, "cpu_faster", "{:.1f} x"), shown(figures, "of_limit", "{:.2f} x"),
            shown(bounds, "of_limit", "{:g}"), shown(figures, "memory", "{:.1f}"),
            shown(figures, "peer_memory", "{:.1f}"), shown(bounds, "memory", "{:.0f}"), verdict])

    def close(self, path):
        """path: a file for all figures, or None. Returns whether each row did what it is for."""
        verdicts = [row["verdict"] for row in self.done]
        kinds = [kind for kind in (MET, MISSED, NOT_RUN, RAN, FAILED) if kind in verdicts]
        print(", ".join(f"{verdicts.count(kind)} {kind}" for kind in kinds))
        if path:
            with open(path, "w", encoding="utf-8") as file:
                json.dump(self.done, file, indent=1)
        return FAILED not in verdicts
