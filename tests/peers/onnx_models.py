# SPDX-License-Identifier: GPL-3.0-or-later
"""onnx's own test models, those that its package ships and those of its operators' examples,
through `kmidi verify` and `kmidi inspect`: what onnx.checker takes is not called damaged.

    python tests/peers/onnx_models.py KMIDI FOLDER      needs onnx; FOLDER is empty

Called by tests/export/onnx.c.
"""

import glob
import json
import os
import subprocess
import sys
import warnings
import onnx
import onnx.backend.test
from onnx.backend.test.case.node import collect_testcases

warnings.filterwarnings("ignore")
KMIDI, FOLDER = sys.argv[1:3]
models = {
    f"{i}_" + os.path.basename(os.path.dirname(p)): onnx.load(p)
    for i, p in enumerate(
        sorted(
            glob.glob(
                os.path.join(os.path.dirname(onnx.backend.test.__file__), "data", "**", "*.onnx"),
                recursive=True,
            )
        )
    )
}
models.update({c.name: c.model for c in collect_testcases(None) if c.model is not None})
sound = 0
for name, model in models.items():
    try:
        onnx.checker.check_model(model)
    except Exception:
        continue
    onnx.save(model, os.path.join(FOLDER, name + ".onnx"))
    sound += 1
r = subprocess.run([KMIDI, "verify", "--json", FOLDER], capture_output=True, text=True)
refused = [one for one in map(json.loads, r.stdout.splitlines()) if not one.get("ok", True)]
for one in refused:
    print(one["error"])
some = sorted(os.listdir(FOLDER))[::40]
for name in some:
    subprocess.run([KMIDI, "inspect", os.path.join(FOLDER, name)], capture_output=True, check=True)
print(len(models), "models,", sound, "sound by onnx.checker,", len(refused), "refused")
sys.exit(bool(refused) or sound < 1000)
