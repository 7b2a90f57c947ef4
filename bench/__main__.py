"""``python -m bench``: a table from one peer into the kernels, by routingd with two NCPs and by BIRD, turn about.

Options: ``--prefixes N`` (default 1,000,000), ``--runs N`` (default 3), ``--output FILE`` (default bench/results.json).
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path

from bench.kernel_load import LOCAL, PEER_ASN, Result, run_bird, run_routingd
from tests.lab import tables


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prefixes", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("results.json"))
    options = parser.parse_args()
    print(f"making a table of {options.prefixes:,} prefixes …", flush=True)
    blob = tables.generate(options.prefixes, first_asn=PEER_ASN, next_hop=LOCAL).encode()
    results: dict[str, list[Result]] = {"routingd, two NCPs": [], "bird": []}
    for run in range(options.runs):
        for name, job in (("routingd, two NCPs", run_routingd), ("bird", run_bird)):
            result = job(blob, options.prefixes)
            results[name].append(result)
            memory = ", ".join(f"{who} {size >> 20} MB" for who, size in result.memory.items())
            print(f"run {run + 1}: {name}: {result.seconds:.2f} s, {result.cpu:.2f} CPU s, {memory}", flush=True)
    rows = []
    for name, list_ in results.items():
        times = [r.seconds for r in list_]
        rows.append(
            {
                "job": f"{options.prefixes} IPv4 prefixes from one peer into the kernel",
                "daemon": name,
                "median_s": round(statistics.median(times), 3),
                "min_s": round(min(times), 3),
                "max_s": round(max(times), 3),
                "runs": len(times),
                "rss_mb": {who: max(r.memory[who] for r in list_) >> 20 for who in list_[0].memory},
                "cpu_s": round(statistics.median(r.cpu for r in list_), 2),
            }
        )
    options.output.write_text(json.dumps(rows, indent=1) + "\n")
    ratios = [a.seconds / b.seconds for a, b in zip(*results.values(), strict=True)]
    for row in rows:
        span = f"{row['min_s']:.2f} to {row['max_s']:.2f}"
        print(f"{row['daemon']:20} median {row['median_s']:.2f} s ({span}), CPU {row['cpu_s']:.2f} s")
    print(f"routingd with two kernels / BIRD with one, run by run: {', '.join(f'{r:.2f}' for r in ratios)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
