"""Takes the pictures of the guide and of the README from the real program, on the sample case.

    python resources/guide/make_pictures.py [SCENE...] [--into FOLDER]

Without a display it works too (``QT_QPA_PLATFORM=offscreen``), but the surface needs one with OpenGL:

    xvfb-run -s '-screen 0 1600x1000x24' python resources/guide/make_pictures.py surface
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent


def main() -> None:
    """Play the scenes named, or all of them."""
    from scenes.stage import Stage

    scenes = all_scenes()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scenes", nargs="*", metavar="SCENE", help=", ".join(scenes))
    parser.add_argument("--into", type=Path, default=HERE / "pictures", help="folder of the pictures")
    chosen = parser.parse_args()
    unknown = set(chosen.scenes) - set(scenes)
    if unknown:
        parser.error(f"no scene {', '.join(sorted(unknown))}")
    stage = Stage(chosen.into)
    for name in chosen.scenes or scenes:
        try:
            scenes[name](stage)
        finally:
            stage.leave()


def all_scenes() -> dict[str, Callable[..., None]]:
    """The scenes by name, in the order of the guide."""
    from scenes import agreeing, reading, setting, studying

    return {
        name: scene
        for module in (reading, agreeing, setting, studying)
        for name, scene in vars(module).items()
        if callable(scene) and not name.startswith("_") and scene.__module__ == module.__name__
    }


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    main()
