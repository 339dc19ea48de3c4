"""Evaluates data drift of one Parquet file against another with Evidently's DataDriftPreset, and prints one line of JSON.

Usage: data_drift.py REFERENCE CURRENT [METHOD...]

Each METHOD is a name of Evidently's numeric drift methods (psi, ks, jensenshannon, wasserstein); a report with one preset per
method is made, because a preset takes one. Without any, the preset chooses by its defaults. The seconds are those of reading the columns and of the report, not of importing.
"""

import json
import sys
import time

import pandas
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset


def peak_bytes() -> int:
    with open("/proc/self/status", encoding="ascii") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def main() -> None:
    reference_path, current_path, *methods = sys.argv[1:]
    started = time.perf_counter()
    cpu_started = time.process_time()
    reference = pandas.read_parquet(reference_path)
    current = pandas.read_parquet(current_path)
    columns = [name for name in reference.columns if name != "session"]
    definition = DataDefinition(numerical_columns=columns)
    presets = [DataDriftPreset(columns=columns, num_method=method) for method in methods]
    report = Report(presets or [DataDriftPreset(columns=columns)])
    report.run(
        current_data=Dataset.from_pandas(current[columns], data_definition=definition),
        reference_data=Dataset.from_pandas(
            reference[columns], data_definition=definition
        ),
    )
    seconds = time.perf_counter() - started
    cpu_seconds = time.process_time() - cpu_started
    print(
        json.dumps(
            {
                "seconds": seconds,
                "cpuSeconds": cpu_seconds,
                "columns": len(columns),
                "peakBytes": peak_bytes(),
            }
        )
    )


main()
