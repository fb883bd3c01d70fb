"""The gateway's own small model, all-MiniLM-L6-v2, as a Lambda apart: its dependencies are far heavier than the API's.

`app.py` is the function; `build.py` and `convert.py` make what it loads and are no part of it.
"""

import os

# From 1.29 on, onnxruntime's Linux builds report their use to a collector unless this is set before the import.
# The pinned build does not report; this stops a later one from it.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
