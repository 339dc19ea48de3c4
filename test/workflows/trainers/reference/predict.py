"""The reference trainer of the control plane, under the folder of trainers that the tests configure."""

import runpy
import sys
from pathlib import Path

REFERENCE = Path(__file__).resolve().parents[4] / "control-plane" / "trainers" / "reference"
sys.dont_write_bytecode = True
sys.path.insert(0, str(REFERENCE))
runpy.run_path(str(REFERENCE / "predict.py"), run_name="__main__")
