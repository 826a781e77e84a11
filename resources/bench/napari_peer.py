"""Times napari at the same acts as `brainseg bench`; run by a Python that has napari, on a display with GL.

    python napari_peer.py CASE_FOLDER START_SECONDS

CASE_FOLDER holds BraTS 2021 names. START_SECONDS is the time of the process start (seconds since the epoch).
Prints JSON: lists of milliseconds, and MB.
"""

import json
import resource
import sys
import time
from pathlib import Path

import napari
import nibabel
import numpy as np
from qtpy.QtWidgets import QApplication

SIZE = (1800, 1000)


def load(folder: Path, name: str) -> np.ndarray:
    (path,) = folder.glob(f"*_{name}.nii.gz")
    # Slices first, as napari steps along the first axis; rows to the back as on our screen.
    return np.ascontiguousarray(np.asarray(nibabel.load(path).dataobj).transpose(2, 1, 0))


def main() -> None:
    folder, started = Path(sys.argv[1]), float(sys.argv[2])
    viewer = napari.Viewer(show=True)
    viewer.window.resize(*SIZE)
    for name in ("flair", "t1ce", "t1", "t2"):
        viewer.add_image(load(folder, name), name=name)
    labels = viewer.add_labels(load(folder, "seg").astype(np.uint8), name="mask")
    # One grid cell for each image; napari cannot lay one mask over all four, so it lies over one of them.
    grid = viewer.canvas.grid if hasattr(viewer, "canvas") else viewer.grid
    grid.enabled = True
    grid.shape = (2, 2)
    app = QApplication.instance()
    canvas = viewer.window._qt_viewer.canvas

    def drawn(act) -> float:
        begin = time.perf_counter()
        act()
        canvas._scene_canvas.update()
        app.processEvents()
        return 1000 * (time.perf_counter() - begin)

    for _ in range(5):
        app.processEvents()
    result = {"start_to_case_ms": [1000 * (time.time() - started)]}
    middle = labels.data.shape[0] // 2
    viewer.dims.set_point(0, middle)
    app.processEvents()
    steps = []
    for number in range(60):
        z = middle + (number if number < 30 else 60 - number)
        steps.append(drawn(lambda z=z: viewer.dims.set_point(0, z)))
    result["slice_step_ms"] = steps
    labels.selected_label, labels.brush_size = 2, 16
    for name, dimensions in (("disc_dab_ms", 2), ("ball_dab_ms", 3)):
        labels.n_edit_dimensions = dimensions
        times = []
        for number in range(30):
            where = (middle, 90 + 7 * (number % 10), 100 + 9 * (number // 10))
            times.append(drawn(lambda where=where: labels.paint(where, 2)))
        result[name] = times
    undo = []
    for _ in range(20):
        undo.append(drawn(labels.undo))
    result["undo_ms"] = undo
    result["memory_mb"] = [resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]
    print(json.dumps({"version": napari.__version__, "samples": result}))
    viewer.close()


if __name__ == "__main__":
    main()
