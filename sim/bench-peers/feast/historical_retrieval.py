"""Joins features to entities as of event times with Feast's file offline store, and prints one line of JSON.

Usage: historical_retrieval.py ENTITIES FEATURES MAX_AGE_SECONDS FOLDER OUT

ENTITIES has vehicle and event_timestamp; FEATURES has vehicle, event_timestamp, created and the features. The seconds are those of
get_historical_features up to the data frame and of writing it as Parquet, not of importing Feast or of registering the view.
"""

import json
import os
import sys
import time
from datetime import timedelta

os.environ["FEAST_USAGE"] = "False"

import pandas
import pyarrow.parquet
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig
from feast.types import Float64
from feast.value_type import ValueType


def peak_bytes() -> int:
    with open("/proc/self/status", encoding="ascii") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def main() -> None:
    entities_path, features_path, max_age_seconds, folder, out = sys.argv[1:]
    columns = [
        name
        for name in pyarrow.parquet.read_schema(features_path).names
        if name not in ("vehicle", "event_timestamp", "created")
    ]
    config = RepoConfig(
        project="bench",
        provider="local",
        registry=os.path.join(folder, "registry.db"),
        offline_store={"type": "file"},
        online_store={"type": "sqlite", "path": os.path.join(folder, "online.db")},
        entity_key_serialization_version=3,
    )
    store = FeatureStore(config=config)
    vehicle = Entity(
        name="vehicle", join_keys=["vehicle"], value_type=ValueType.STRING
    )
    view = FeatureView(
        name="windows",
        entities=[vehicle],
        ttl=timedelta(seconds=int(max_age_seconds)),
        schema=[Field(name=name, dtype=Float64) for name in columns],
        source=FileSource(
            path=features_path,
            timestamp_field="event_timestamp",
            created_timestamp_column="created",
        ),
    )
    store.apply([vehicle, view])
    started = time.perf_counter()
    cpu_started = time.process_time()
    entities = pandas.read_parquet(entities_path)
    joined = store.get_historical_features(
        entity_df=entities, features=[f"windows:{name}" for name in columns]
    ).to_df()
    joined.to_parquet(out)
    print(
        json.dumps(
            {
                "seconds": time.perf_counter() - started,
                "cpuSeconds": time.process_time() - cpu_started,
                "rows": len(joined),
                "matched": int(joined[columns[0]].notna().sum()),
                "sum": float(joined[columns[0]].sum()),
                "peakBytes": peak_bytes(),
            }
        )
    )


main()
