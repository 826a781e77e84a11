"""A worker for tests: speaks the protocol and misbehaves as its argument says."""

import json
import os
import sys
import time
from pathlib import Path

import numpy as np

MODE = sys.argv[1]


def say(**event):
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def save(folder, name, array):
    path = Path(folder) / f"{name}.npy"
    np.save(path, array)
    return str(path)


def segment(request):
    job, folder = request["job"], request["out_dir"]
    data = np.load(request["inputs"]["FLAIR"])
    first = request["first_slice"] or 0
    for n, z in enumerate([first, *(i for i in range(data.shape[2]) if i != first)]):
        if MODE == "die" and n == 2:
            print("the last words", file=sys.stderr, flush=True)
            os._exit(3)
        if MODE == "hang" and n == 2:
            time.sleep(600)
        if MODE == "rubbish" and n == 2:
            sys.stdout.write("Segmentation fault (not really)\n")
            sys.stdout.flush()
        if MODE == "endless" and n == 2:
            while True:
                sys.stdout.write("x" * 65536)
        if MODE == "slow":
            time.sleep(0.3)
        labels = (data[:, :, [z]] > 50).astype(np.uint8) * 2
        say(event="slice", job="an older job", z=[0], labels="nowhere.npy")
        say(event="slice", job=job, z=[z], labels=save(folder, f"slices-{n}", labels))
        say(event="progress", job=job, done=n + 1, total=data.shape[2], seconds_left=0.1)
    labels = (data > 50).astype(np.uint8) * 2
    regions = ["WT"] if MODE == "whole" else ["WT", "TC", "ET"]
    probabilities = np.stack([(data > 50).astype(np.uint8) * 255] * len(regions))
    if MODE == "whole":
        labels *= 3
    if MODE == "shape":
        labels = labels[:-1]
    answer = {
        "event": "done",
        "job": job,
        "labels": save(folder, "labels", labels),
        "probabilities": save(folder, "probabilities", probabilities),
        "uncertainty": save(folder, "uncertainty", (data > 50).astype(np.uint8) * 51),
        "regions": regions,
        "kind": "skull_stripped",
        "present": sorted(request["inputs"]),
        "model": "glioma-unet",
        "version": "1",
        "device": "cpu",
        "seconds": 0.5,
    }
    if MODE == "outside":
        answer["labels"] = "/etc/passwd"
    if MODE == "incomplete":
        del answer["regions"]
    say(**answer)


if MODE == "stillborn":
    sys.exit(1)
for line in sys.stdin:
    asked = json.loads(line)
    if asked["op"] == "load":
        if MODE == "corrupt":
            say(event="error", job=None, code="model_corrupt", params={"name": "a", "reason": "sha256"})
            continue
        if MODE == "slow-load":
            time.sleep(600)
        say(event="loaded", model="glioma-unet", version="1", device="cpu", seconds=0.1)
    elif MODE == "error":
        say(event="error", job=asked["job"], code="out_of_memory", params={})
    else:
        segment(asked)
