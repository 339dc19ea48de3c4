"""Writes one file with the Python mcap package, in the way that sim/src/bench/edge/mcap-workload.ts describes, and prints one line of JSON.

Usage: write_mcap.py OUT PAYLOADS MESSAGE_BYTES MESSAGES none|zstd
"""

import json
import os
import sys
import time

from mcap.writer import CompressionType, Writer

CHUNK_BYTES = 1024 * 1024
PERIOD_NS = 1_000_000


def peak_bytes() -> int:
    with open("/proc/self/status", encoding="ascii") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def main() -> None:
    out, payload_file, message_bytes_text, messages_text, compression = sys.argv[1:]
    message_bytes = int(message_bytes_text)
    with open(payload_file, "rb") as file:
        payloads = file.read()

    started = time.perf_counter()
    with open(out, "wb") as file:
        kind = CompressionType.ZSTD if compression == "zstd" else CompressionType.NONE
        writer = Writer(file, chunk_size=CHUNK_BYTES, compression=kind, enable_crcs=True)
        writer.start()
        channel = writer.register_channel("/bench", "protobuf", 0)
        start = 0
        for sequence in range(int(messages_text)):
            if start + message_bytes > len(payloads):
                start = 0
            stamp = sequence * PERIOD_NS
            writer.add_message(
                channel, stamp, payloads[start : start + message_bytes], stamp, sequence
            )
            start += message_bytes
        writer.finish()
        file.flush()
        os.fsync(file.fileno())
    print(json.dumps({"seconds": time.perf_counter() - started, "peakBytes": peak_bytes()}))


main()
