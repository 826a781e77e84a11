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
        "align",
        "Align sequences...",
        "Case",
        (),
        "Bring sequences on other grids, or moved ones, to the one that the masks are drawn on",
    ),
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
    ActionSpec(
        "case_report",
        "Report...",
        "Case",
        ("Ctrl+Shift+R",),
        "Write a report of the mask: pictures, volumes, measures, changes, origin; PDF or HTML",
    ),
    ActionSpec("pacs", "PACS...", "Case", (), "Find exams in an archive, retrieve them, send results to it"),
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
    ActionSpec(
        "smart_brush",
        "Smart brush",
        "Tools",
        ("Shift+P",),
        "Paints only what resembles the voxels under its centre and is connected to it",
        True,
    ),
    ActionSpec("polygon", "Polygon", "Tools", ("Y",), "Click corners; Enter fills, with Ctrl cuts", True),
    ActionSpec("lasso", "Lasso", "Tools", ("Shift+L",), "Draw around; filled when released, Ctrl cuts", True),
    ActionSpec(
        "spline",
        "Spline",
        "Tools",
        ("Shift+Y",),
        "Click points of a smooth contour, move them; Enter fills",
        True,
    ),
    ActionSpec(
        "scissors",
        "Scissors",
        "Tools",
        ("Shift+X",),
        "Draw around: what is inside is cut away on all slices; Ctrl: what is outside",
        True,
    ),
    ActionSpec(
        "fill",
        "Fill",
        "Tools",
        ("H",),
        "Click and drag: what is connected and alike in the image; Ctrl+click: the piece of the mask",
        True,
    ),
    ActionSpec(
        "threshold",
        "Threshold in a box",
        "Tools",
        ("J",),
        "Drag a box: voxels in a range of intensities; Ctrl+wheel changes it, Enter fills",
        True,
    ),
    ActionSpec(
        "scribble",
        "Scribble and refine",
        "Tools",
        ("Shift+E",),
        "Scribble inside, with Ctrl outside: the outline is refined there; Enter accepts",
        True,
    ),
    ActionSpec(
        "interpolate",
        "Interpolate",
        "Editing",
        ("Shift+I",),
        "Fill the slices between those on which the chosen label was drawn; press again to accept",
    ),
    ActionSpec(
        "drop_proposal", "Drop proposal", "Editing", ("Shift+Esc",), "Let the proposed interpolation go"
    ),
    ActionSpec(
        "intensity_rule",
        "Only intensities",
        "Tools",
        ("I",),
        "Tools change only voxels in a range of intensities of one sequence",
        True,
    ),
    ActionSpec("ruler", "Ruler", "Measuring", ("M",), "Drag or click twice: a length in mm", True),
    ActionSpec("angle", "Angle", "Measuring", ("Shift+M",), "Click three times: end, corner, end", True),
    ActionSpec(
        "roi",
        "Ellipse",
        "Measuring",
        ("R",),
        "Drag an ellipse: mean, SD and range of the voxels in it, and its area",
        True,
    ),
    ActionSpec(
        "diameters",
        "Diameters of label",
        "Measuring",
        ("Shift+R",),
        "RANO: the longest diameter of the chosen label on its largest slice, and the longest across it",
    ),
    ActionSpec(
        "delete_measurement", "Delete measurement", "Measuring", ("Del",), "Remove the chosen measurement"
    ),
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
    ActionSpec(
        "fill_outline", "Fill and outline", "Display", ("Shift+O",), "Draw the mask and its outline", True
    ),
    ActionSpec("less_opaque", "Mask fainter", "Display", ("A",), "Make the mask more transparent"),
    ActionSpec("more_opaque", "Mask stronger", "Display", ("D",), "Make the mask less transparent"),
    ActionSpec(
        "both_masks",
        "Both masks",
        "Display",
        ("Shift+F",),
        "Draw the mask compared with as a dashed outline over the one shown",
        True,
    ),
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
        "agreement_map",
        "Agreement map",
        "Agreement",
        ("Shift+U",),
        "Show how many of the readers marked each voxel, in the region chosen under Agreement",
        True,
    ),
    ActionSpec(
        "auto_window",
        "Auto window",
        "Display",
        ("Ctrl+J",),
        "Each sequence from 0.5 to 99.5 % of what is not background",
    ),
    ActionSpec(
        "curtain",
        "Curtain",
        "Display",
        ("C",),
        "Right of a line that can be dragged, show the second sequence and the mask compared with",
        True,
    ),
    ActionSpec(
        "blink",
        "Blink",
        "Display",
        ("T",),
        "Show the second sequence and the mask compared with in place of the first; press again to go back",
        True,
    ),
    ActionSpec("fit", "Fit", "Display", ("Home",), "Fit the head into the views again"),
    ActionSpec("smooth", "Smooth images", "Display", (), "Interpolate between voxels (display only)", True),
    ActionSpec(
        "neurological",
        "Neurological sides",
        "Display",
        (),
        "Show the patient's left on the left of the screen; each view says so",
        True,
    ),
    ActionSpec(
        "nose_right",
        "Nose to the right",
        "Display",
        (),
        "Sagittal views with the nose to the right; each view says so",
        True,
    ),
    ActionSpec(
        "label_colours",
        "Colours of labels...",
        "Display",
        (),
        "Safe for colour blindness, classic, or your own",
    ),
    ActionSpec(
        "copy_picture", "Copy picture", "Display", ("Ctrl+C",), "Put the picture of the view on the clipboard"
    ),
    ActionSpec(
        "save_picture",
        "Save picture...",
        "Display",
        ("Ctrl+Shift+S",),
        "Write the picture of the view to a file",
    ),
    ActionSpec("slice_up", "Next slice", "Slices", ("PgUp", "Up"), "One slice up (mouse wheel)"),
    ActionSpec("slice_down", "Previous slice", "Slices", ("PgDown", "Down"), "One slice down (mouse wheel)"),
    ActionSpec("label_centre", "Centre of label", "Slices", ("G",), "Go to the middle of the chosen label"),
    ActionSpec(
        "next_labelled",
        "Next labelled slice",
        "Slices",
        ("Shift+PgUp",),
        "Go up to the next slice on which the mask marks something",
    ),
    ActionSpec(
        "previous_labelled",
        "Previous labelled slice",
        "Slices",
        ("Shift+PgDown",),
        "Go down to the next slice on which the mask marks something",
    ),
    ActionSpec(
        "next_doubt",
        "Next doubtful region",
        "Slices",
        ("N",),
        "Go to where the network was unsure, largest first",
    ),
    ActionSpec(
        "previous_doubt", "Previous doubtful region", "Slices", ("Shift+N",), "The doubtful region before"
    ),
    ActionSpec(
        "accept_doubt",
        "Accept doubtful region",
        "Slices",
        ("Ctrl+1",),
        "The mask is right here: tick it, go to the next",
    ),
    ActionSpec("edit_doubt", "Edit doubtful region", "Slices", ("Ctrl+2",), "Go there and take the brush"),
    ActionSpec(
        "clear_doubt",
        "Clear doubtful region",
        "Slices",
        ("Ctrl+3",),
        "Remove the labels inside it, one step",
    ),
    ActionSpec("cine", "Cine", "Slices", ("K",), "Run through the slices; press again to stop", True),
    ActionSpec("sequences", "2x2 sequences", "Views", ("F2",), "Four linked sequences", True),
    ActionSpec("row", "1x4 sequences", "Views", ("Shift+F2",), "Four linked sequences side by side", True),
    ActionSpec("planes", "3 planes", "Views", ("F3",), "Three planes of one sequence", True),
    ActionSpec(
        "surface", "3 planes and surface", "Views", ("F4",), "Three planes and the labels as surfaces", True
    ),
    ActionSpec(
        "big", "One big, three small", "Views", ("Shift+F3",), "One sequence large, the others small", True
    ),
    ActionSpec("two", "Two side by side", "Views", ("Shift+F4",), "Any two sequences or planes", True),
    ActionSpec("axial", "Axial", "Views", ("F5",), "Show the sequences in axial slices", True),
    ActionSpec("coronal", "Coronal", "Views", ("F6",), "Show the sequences in coronal slices", True),
    ActionSpec("sagittal", "Sagittal", "Views", ("F7",), "Show the sequences in sagittal slices", True),
    ActionSpec(
        "maximise", "Maximise view", "Views", ("Space",), "Show one view alone, or all again (double click)"
    ),
    ActionSpec(
        "link",
        "Link view",
        "Views",
        ("L",),
        "The view with the keys moves with the others; off: by itself, and it says so",
        True,
    ),
    ActionSpec(
        "view_window",
        "View in own window",
        "Views",
        ("Ctrl+Shift+N",),
        "Open the view with the keys in a window of its own, for a second monitor",
    ),
    ActionSpec("view_menu", "Menu of view", "Views", ("Shift+F10",), "What one view shows (right click)"),
    ActionSpec("theme", "Light theme", "Display", (), "Change between the dark and the light look", True),
    ActionSpec(
        "compare", "Compare", "Agreement", ("Ctrl+M",), "Measure agreement with the reference or another mask"
    ),
    ActionSpec(
        "swap_pair",
        "Swap the pair",
        "Agreement",
        (),
        "Take the mask as reference and the reference as mask, whichever is shown",
    ),
    ActionSpec(
        "majority",
        "Majority of masks...",
        "Agreement",
        (),
        "Make a mask of what more than half of the readers marked",
    ),
    ActionSpec(
        "staple",
        "STAPLE of masks...",
        "Agreement",
        (),
        "Make a mask out of those of several readers, each weighted by how well it agrees with the others",
    ),
    ActionSpec(
        "new_study",
        "New study...",
        "Study",
        (),
        "Make a study of several readers from a folder of cases",
    ),
    ActionSpec("open_study", "Open study...", "Study", (), "Open the folder of a study and say who reads"),
    ActionSpec(
        "last_study", "Open last study", "Study", ("Ctrl+Alt+O",), "Open the study that was open last time"
    ),
    ActionSpec(
        "study_window",
        "Worklist and results",
        "Study",
        ("Ctrl+Alt+W",),
        "Show the study's readings, and what they came to",
    ),
    ActionSpec(
        "accept_reading",
        "Accept and next",
        "Study",
        ("Ctrl+Alt+A",),
        "Lock this reading for good and open the next one",
    ),
    ActionSpec("save_reading", "Save draft", "Study", (), "Write the mask of this reading into the study"),
    ActionSpec(
        "close_study", "Close study", "Study", (), "Let the study go; an open reading is kept as draft"
    ),
    ActionSpec(
        "guide", "User guide", "Help", ("Shift+F1",), "Each task with pictures, opened where you are working"
    ),
    ActionSpec(
        "settings",
        "Settings...",
        "Help",
        ("Ctrl+,",),
        "Name, folders, look, keys, network and device",
    ),
    ActionSpec(
        "tour", "Take the tour (3 minutes)", "Help", (), "Shows each step in this window, on the sample case"
    ),
    ActionSpec("sample", "Open the sample case", "Help", (), "A computed case that comes with the program"),
    ActionSpec("log_folder", "Open log folder", "Help", (), "Where the log of the program is written"),
    ActionSpec("help", "Keys and mouse", "Help", ("F1",), "This sheet"),
    ActionSpec(
        "about",
        "About",
        "Help",
        (),
        "Versions, licences, the network's figures, and where the program keeps its files",
    ),
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
    ("Esc while painting or measuring", "Take it back"),
    ("Right click", "Menu of the view: sequence, plane, link, colours, picture"),
    ("Strip beside a view", "Where each label lies and where the network is unsure; click to go there"),
    ("Drag the end of a measurement", "Correct it"),
    (
        "Polygon, spline: click, drag a node, Backspace",
        "Set, move, remove a node; Enter closes",
    ),
    ("Polygon: click on the first node", "Close it"),
    ("Ctrl while closing a contour", "Cut instead of fill"),
    (
        "Scissors: drag; with Ctrl; with Shift",
        "Through all slices: remove inside; remove outside; give the chosen label inside",
    ),
    ("Drag the line of the curtain", "Uncover more of the second image or mask"),
    ("Surface: drag, wheel, click", "Turn, zoom, go to the point"),
)
