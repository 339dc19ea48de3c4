"""A trainer that gives up in the middle, after it has written something."""

import sys
from pathlib import Path

target = Path(sys.argv[sys.argv.index("--out") + 1])
(target / "model.onnx").write_bytes(b"half a model")
print('{"event": "fit"}', flush=True)
print("out of memory in layer 3", file=sys.stderr)
sys.exit(7)
