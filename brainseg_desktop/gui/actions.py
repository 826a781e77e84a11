"""The one table of what the program can do by key and button; the help sheet is made from it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """One action.

    Parameters
    ----------
    name : str
        Key by which the main window finds its slot.
    text : str
        On buttons and menus.
    group : str
        Heading in the help sheet.
    keys : tuple of str
        Shortcuts, Qt's spelling.
    tip : str
        What it does, in one sentence.
    checkable : bool
    """

    name: str
    text: str
    group: str
    keys: tuple[str, ...] = ()
    tip: str = ""
    checkable: bool = False


ACTIONS = (
    ActionSpec("open", "Open...", "Case", ("Ctrl+O",), "Open a case: a folder, or files chosen by hand"),
    ActionSpec(
        "open_files",
        "Open files...",
        "Case",
        ("Ctrl+Shift+O",),
        "Open image files and say which sequence each is",
    ),
    ActionSpec("load_mask", "Load mask...", "Case", (), "Add a mask file to the open case as a rating"),
    ActionSpec(
        "close_case", "Close case", "Case", ("Ctrl+W",), "Close the case; unsaved strokes stay in the journal"
    ),
    ActionSpec("next_case", "Next case", "Case", ("Ctrl+Alt+N",), "Open the next case of the list"),
    ActionSpec(
        "previous_case", "Previous case", "Case", ("Ctrl+Alt+P",), "Open the previous case of the list"
    ),
    ActionSpec(
        "segment", "Segment with AI", "Network", ("Ctrl+G",), "Have the chosen network outline the tumour"
    ),
    ActionSpec("cancel", "Cancel", "Network", (), "Stop the running segmentation at once"),
    ActionSpec(
        "about_network",
        "About this network...",
        "Network",
        (),
        "What the chosen network was trained on, what it is for, and its held-out figures",
    ),
    ActionSpec(
        "models_folder",
        "Open networks folder",
        "Network",
        (),
        "Open the folder where networks of your own belong, each in a folder with its model.toml",
    ),
    ActionSpec(
        "export", "Export...", "Case", ("Ctrl+S",), "Write the mask to a file, read it back and compare"
    ),
    ActionSpec("quit", "Quit", "Case", ("Ctrl+Q",), "Close the program"),
    ActionSpec("undo", "Undo", "Editing", ("Ctrl+Z",), "Take back the last step"),
    ActionSpec(
        "redo", "Redo", "Editing", ("Ctrl+Shift+Z", "Ctrl+Y"), "Make the step again that was taken back"
    ),
    ActionSpec(
        "crosshair",
        "Crosshair",
        "Tools",
        ("X",),
        "Left button moves the crosshair; Ctrl+click picks the label",
        True,
    ),
    ActionSpec(
        "window", "Window", "Tools", ("V",), "Left drag changes window (left-right) and level (up-down)", True
    ),
    ActionSpec("brush", "Brush", "Tools", ("P",), "Left drag paints; hold Ctrl to erase", True),
    ActionSpec("eraser", "Eraser", "Tools", ("E",), "Left drag erases", True),
    ActionSpec("smaller", "Smaller brush", "Tools", ("[",), "Brush 1 mm smaller (Shift+wheel)"),
    ActionSpec("larger", "Larger brush", "Tools", ("]",), "Brush 1 mm larger (Shift+wheel)"),
    ActionSpec(
        "ball",
        "Ball (3D)",
        "Tools",
        ("Shift+B",),
        "The brush is a ball and paints neighbouring slices too",
        True,
    ),
    ActionSpec(
        "keep_others",
        "Keep other labels",
        "Tools",
        ("B",),
        "Painting only fills background, erasing only removes the chosen label",
        True,
    ),
    ActionSpec("label_1", "Label 1", "Tools", ("1",), "Paint with the first label"),
    ActionSpec("label_2", "Label 2", "Tools", ("2",), "Paint with the second label"),
    ActionSpec("label_3", "Label 3", "Tools", ("3",), "Paint with the third label"),
    ActionSpec("label_4", "Label 4", "Tools", ("4",), "Paint with the fourth label"),
    ActionSpec("previous_label", "Previous label", "Tools", ("Q",), "Choose the label above"),
    ActionSpec("next_label", "Next label", "Tools", ("W",), "Choose the label below"),
    ActionSpec("show_mask", "Mask", "Display", ("S",), "Show or hide the mask", True),
    ActionSpec("outline", "Outline only", "Display", ("O",), "Draw only the outline of the mask", True),
    ActionSpec("less_opaque", "Mask fainter", "Display", ("A",), "Make the mask more transparent"),
    ActionSpec("more_opaque", "Mask stronger", "Display", ("D",), "Make the mask less transparent"),
    ActionSpec(
        "difference",
        "Difference",
        "Display",
        ("F",),
        "Show what was missed, extra and agreed against the other mask",
        True,
    ),
    ActionSpec(
        "uncertainty",
        "Uncertainty",
        "Display",
        ("U",),
        "Show how undecided the network was: the more, the brighter and the less transparent",
        True,
    ),
    ActionSpec(
        "auto_window",
        "Auto window",
        "Display",
        ("Ctrl+J",),
        "Each sequence from 0.5 to 99.5 % of what is not background",
    ),
    ActionSpec("fit", "Fit", "Display", ("Home",), "Fit the whole slice into the views"),
    ActionSpec("smooth", "Smooth images", "Display", (), "Interpolate between voxels (display only)", True),
    ActionSpec(
        "maximise", "Maximise view", "Display", ("Space",), "Show one view alone, or all again (double click)"
    ),
    ActionSpec("slice_up", "Next slice", "Display", ("PgUp", "Up"), "One slice up (mouse wheel)"),
    ActionSpec("slice_down", "Previous slice", "Display", ("PgDown", "Down"), "One slice down (mouse wheel)"),
    ActionSpec("sequences", "2x2", "Display", ("F2",), "Four linked sequences", True),
    ActionSpec("planes", "3 planes", "Display", ("F3",), "Three planes of one sequence", True),
    ActionSpec("axial", "Axial", "Display", ("F5",), "Show the sequences in axial slices", True),
    ActionSpec("coronal", "Coronal", "Display", ("F6",), "Show the sequences in coronal slices", True),
    ActionSpec("sagittal", "Sagittal", "Display", ("F7",), "Show the sequences in sagittal slices", True),
    ActionSpec("theme", "Light theme", "Display", (), "Change between the dark and the light look", True),
    ActionSpec(
        "compare", "Compare", "Agreement", ("Ctrl+M",), "Measure agreement with the reference or another mask"
    ),
    ActionSpec("help", "Keys and mouse", "Help", ("F1",), "This sheet"),
    ActionSpec("about", "About", "Help", (), "Version, licence and what the program may be used for"),
)

MOUSE = (
    ("Wheel", "Go through slices (also while painting)"),
    ("Ctrl+wheel, right drag", "Zoom"),
    ("Middle drag", "Move the picture"),
    ("Shift+move", "Crosshair in all views (also while painting)"),
    ("Shift+wheel", "Size of the brush"),
    ("Ctrl while painting", "Erase"),
    ("Ctrl+click with the crosshair", "Choose the label under the mouse"),
    ("Double click", "Show one view alone, or all again (while painting: Space)"),
    ("Esc while painting", "Take the stroke back"),
)
