"""Dark and light look: Qt's Fusion style with a palette and a short style sheet. One accent colour."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtGui import QColor, QFontInfo, QPalette
from PySide6.QtWidgets import QApplication

from brainseg_desktop.io.resources import resources_dir


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours of one look.

    Parameters
    ----------
    window, panel, raised, pressed : grounds
        Behind everything, behind lists, of buttons and tiles, of a button that is switched on.
    text, faint, disabled : words and icons
        Of the first and of the second rank, and of what cannot be used now.
    line : frames and separators
    accent, accent_text : ground of the one main button and of what is chosen, and the words on it
    bright : the accent as a line or as words on the grounds: focus ring, links, icons switched on
    warning, good : edges of messages, words of a warning
    """

    name: str
    window: str
    panel: str
    raised: str
    pressed: str
    text: str
    faint: str
    disabled: str
    line: str
    accent: str
    accent_text: str
    bright: str
    warning: str
    good: str


DARK = Theme(
    "dark",
    "#1b1e22",
    "#1e2126",
    "#2a2f36",
    "#27405f",
    "#dde1e5",
    "#a3abb3",
    "#757d86",
    "#3d444d",
    "#2463ad",
    "#ffffff",
    "#7ab3f7",
    "#e0a030",
    "#35b27a",
)
LIGHT = Theme(
    "light",
    "#f3f4f6",
    "#ffffff",
    "#e7e9ed",
    "#d3e2f6",
    "#1d2126",
    "#535a63",
    "#868d95",
    "#c3c9d0",
    "#1f5fae",
    "#ffffff",
    "#1f5fae",
    "#9a5b00",
    "#0b7a4b",
)
THEMES = {theme.name: theme for theme in (DARK, LIGHT)}


def apply_theme(app: QApplication, theme: Theme) -> None:
    """Give the whole program this look; sizes follow the font the user has set for all programs."""
    app.setStyle("Fusion")
    palette = QPalette()
    roles = {
        QPalette.ColorRole.Window: theme.window,
        QPalette.ColorRole.WindowText: theme.text,
        QPalette.ColorRole.Base: theme.panel,
        QPalette.ColorRole.AlternateBase: theme.raised,
        QPalette.ColorRole.Text: theme.text,
        QPalette.ColorRole.Button: theme.raised,
        QPalette.ColorRole.ButtonText: theme.text,
        QPalette.ColorRole.ToolTipBase: theme.raised,
        QPalette.ColorRole.ToolTipText: theme.text,
        QPalette.ColorRole.Highlight: theme.accent,
        QPalette.ColorRole.HighlightedText: theme.accent_text,
        QPalette.ColorRole.Accent: theme.bright,
        QPalette.ColorRole.PlaceholderText: theme.faint,
        QPalette.ColorRole.Link: theme.bright,
        QPalette.ColorRole.LinkVisited: theme.bright,
    }
    for role, colour in roles.items():
        palette.setColor(role, QColor(colour))
    for role in (QPalette.ColorRole.Text, QPalette.ColorRole.ButtonText, QPalette.ColorRole.WindowText):
        palette.setColor(QPalette.ColorGroup.Disabled, role, QColor(theme.disabled))
    app.setPalette(palette)
    points = QFontInfo(app.font()).pointSizeF()
    app.setStyleSheet(_bars(theme) + _text(theme, points) + _controls(theme))


def _bars(theme: Theme) -> str:
    """Tool bar, menus, docks, status bar. Lengths around text are in em: they grow with the font.

    The menu button of a view lies on the picture, which is dark in both looks.
    """
    return f"""
    QToolBar {{ background: {theme.window}; border: 0; border-bottom: 1px solid {theme.line};
        spacing: 3px; padding: 4px 6px; }}
    QToolBar::separator {{ background: {theme.line}; width: 1px; margin: 5px 5px; }}
    QToolButton {{ color: {theme.text}; background: transparent; border: 1px solid transparent;
        border-radius: 4px; padding: 0.2em 0.4em; }}
    QToolButton:hover {{ background: {theme.raised}; }}
    QToolButton:checked {{ background: {theme.pressed}; border-color: {theme.accent}; }}
    QToolButton:checked:disabled {{ background: transparent; border-color: {theme.line}; }}
    QToolButton:pressed {{ background: {theme.pressed}; }}
    QToolButton:disabled {{ color: {theme.disabled}; }}
    QToolButton:focus {{ border-color: {theme.bright}; }}
    QToolButton#qt_toolbar_ext_button {{ padding: 0; margin: 1px; background: {theme.raised};
        image: url("{_marks()}/more_{theme.name}.svg"); }}
    QToolButton[popupMode="1"], QToolButton[popupMode="2"] {{ padding-right: 1.1em; }}
    QToolButton::menu-button {{ border: 0; width: 0.9em; }}
    QToolButton::menu-indicator {{ image: url("{_marks()}/down_{theme.name}.svg"); width: 0.6em;
        height: 0.6em; subcontrol-position: right center; right: 0.3em; }}
    QToolButton::menu-arrow {{ image: url("{_marks()}/down_{theme.name}.svg"); width: 0.6em;
        height: 0.6em; }}
    QToolButton#segment::menu-arrow {{ image: url("{_marks()}/down_accent.svg"); }}
    QToolButton#segment {{ background: {theme.accent}; color: {theme.accent_text}; font-weight: 600;
        padding-right: 1.7em; }}
    QToolButton#segment::menu-button {{ border: 0; border-left: 1px solid {theme.window}; width: 1.2em;
        border-top-right-radius: 4px; border-bottom-right-radius: 4px; }}
    QToolButton#segment:disabled {{ background: {theme.raised}; color: {theme.disabled}; }}
    QToolButton#segment:focus {{ border-color: {theme.text}; }}
    QToolButton#view_menu {{ color: {DARK.text}; padding: 0; }}
    QToolButton#view_menu:hover, QToolButton#view_menu:pressed {{ background: {DARK.raised}; }}
    QToolButton#view_menu:focus {{ border-color: {DARK.bright}; }}
    QTabWidget::pane {{ border: 0; border-top: 1px solid {theme.line}; }}
    QTabBar {{ qproperty-drawBase: 0; }}
    QTabBar::tab {{ color: {theme.faint}; background: transparent; padding: 0.3em 0.7em;
        border: 0; border-bottom: 2px solid transparent; }}
    QTabBar::tab:selected {{ color: {theme.text}; border-bottom-color: {theme.bright}; }}
    QTabBar::tab:hover {{ color: {theme.text}; }}
    QTabBar::tab:selected:focus {{ background: {theme.pressed}; }}
    QMenuBar {{ background: {theme.window}; }}
    QMenuBar::item {{ padding: 0.2em 0.6em; background: transparent; }}
    QMenuBar::item:selected {{ background: {theme.raised}; }}
    QMenu {{ selection-background-color: {theme.pressed}; selection-color: {theme.text}; }}
    QDockWidget {{ titlebar-close-icon: none; titlebar-normal-icon: none; }}
    QDockWidget::title {{ background: {theme.window}; padding: 6px 8px; }}
    QDockWidget > QWidget, QScrollArea, QScrollArea > QWidget > QWidget {{ background: {theme.window}; }}
    QScrollArea {{ border: 0; }}
    QStatusBar {{ background: {theme.window}; border-top: 1px solid {theme.line}; color: {theme.faint}; }}
    QStatusBar::item {{ border: 0; }}
    QSplitter::handle {{ background: {theme.line}; }}
    QToolTip {{ background: {theme.raised}; color: {theme.text}; border: 1px solid {theme.line};
        padding: 3px; }}
    """


def _text(theme: Theme, points: float) -> str:
    """Words and what they stand on. Qt takes no em for a font's size, so it is counted in points."""
    return f"""
    QLabel#heading {{ color: {theme.faint}; font-weight: 600; }}
    QLabel#faint {{ color: {theme.faint}; }}
    QLabel#warning {{ color: {theme.warning}; }}
    QLabel#title {{ font-size: {points * 1.8:.1f}pt; }}
    QLabel#step {{ font-weight: 600; }}
    QLabel#score {{ font-size: {points * 1.6:.1f}pt; }}
    QFrame#tile {{ background: {theme.raised}; border-radius: 5px; }}
    QFrame#tour {{ background: {theme.raised}; border: 2px solid {theme.bright}; border-radius: 7px; }}
    QFrame#message {{ background: {theme.raised}; border-left: 4px solid {theme.warning}; }}
    QFrame#message[kind="info"] {{ border-left: 4px solid {theme.good}; }}
    """


def _controls(theme: Theme) -> str:
    """What is clicked or typed into. A control that has the keys has a bright frame."""
    marks = _marks()
    return f"""
    QListWidget, QTableWidget, QTreeWidget, QTextEdit, QPlainTextEdit {{ background: {theme.panel};
        border: 1px solid {theme.line}; border-radius: 4px; }}
    QListWidget::item {{ padding: 0.25em; }}
    QTableWidget::item {{ padding: 0 2px; }}
    QTableCornerButton::section {{ background: {theme.window}; border: 0; }}
    QHeaderView::section {{ background: {theme.window}; color: {theme.faint}; border: 0;
        padding: 0.15em 0.3em; }}
    QLineEdit, QComboBox, QAbstractSpinBox {{ background: {theme.panel}; border: 1px solid {theme.line};
        border-radius: 4px; padding: 0.15em 0.3em; min-height: 1.1em; }}
    QComboBox:disabled, QLineEdit:disabled {{ color: {theme.disabled}; }}
    QComboBox {{ padding-right: 1.3em; }}
    QComboBox::drop-down {{ border: 0; width: 1.3em; }}
    QComboBox::down-arrow, QAbstractSpinBox::down-arrow {{
        image: url("{marks}/down_{theme.name}.svg"); width: 0.7em; height: 0.7em; }}
    QAbstractSpinBox::up-arrow {{
        image: url("{marks}/up_{theme.name}.svg"); width: 0.7em; height: 0.7em; }}
    QAbstractSpinBox {{ padding: 0.15em 1.2em 0.15em 0.2em; }}
    QAbstractSpinBox::up-button, QAbstractSpinBox::down-button {{ border: 0; width: 1.2em;
        background: transparent; }}
    QAbstractSpinBox::up-button:hover, QAbstractSpinBox::down-button:hover {{ background: {theme.pressed}; }}
    QPushButton {{ background: {theme.raised}; border: 1px solid {theme.line}; border-radius: 4px;
        padding: 0.3em 0.8em; }}
    QPushButton:hover {{ border-color: {theme.bright}; }}
    QPushButton:checked {{ background: {theme.pressed}; border-color: {theme.accent}; }}
    QPushButton:default {{ background: {theme.accent}; color: {theme.accent_text}; }}
    QPushButton:disabled {{ background: {theme.raised}; color: {theme.disabled}; }}
    QProgressBar {{ border: 1px solid {theme.line}; border-radius: 4px; text-align: center;
        background: {theme.panel}; }}
    QProgressBar::chunk {{ background: {theme.accent}; border-radius: 3px; }}
    QCheckBox, QRadioButton {{ border: 1px solid transparent; border-radius: 4px; padding: 1px; }}
    QCheckBox::indicator, QTableWidget::indicator, QListWidget::indicator {{ width: 0.85em; height: 0.85em;
        border: 1px solid {theme.faint}; border-radius: 3px; background: {theme.panel}; }}
    QCheckBox::indicator:checked, QTableWidget::indicator:checked, QListWidget::indicator:checked {{
        background: {theme.accent}; border-color: {theme.text}; image: url("{marks}/tick.svg"); }}
    QRadioButton::indicator {{ width: 0.8em; height: 0.8em; border: 1px solid {theme.faint};
        border-radius: 0.4em; background: {theme.panel}; }}
    QRadioButton::indicator:checked {{ background: {theme.accent}; border-color: {theme.text};
        image: url("{marks}/dot.svg"); }}
    QSlider {{ border: 1px solid transparent; border-radius: 4px; }}
    QSlider::groove {{ background: {theme.line}; border-radius: 2px; }}
    QSlider::groove:horizontal {{ height: 4px; margin: 0.3em 0; }}
    QSlider::groove:vertical {{ width: 4px; margin: 0 0.3em; }}
    QSlider::sub-page:horizontal, QSlider::add-page:vertical {{ background: {theme.accent};
        border-radius: 2px; }}
    QSlider::sub-page:horizontal {{ margin: 0.3em 0; }}
    QSlider::add-page:vertical {{ margin: 0 0.3em; }}
    QSlider::handle {{ background: {theme.bright}; border: 1px solid {theme.window}; border-radius: 0.35em; }}
    QSlider::handle:horizontal {{ width: 0.7em; margin: -0.3em 0; }}
    QSlider::handle:vertical {{ height: 0.7em; margin: 0 -0.3em; }}
    QSlider::handle:hover {{ background: {theme.text}; }}
    QSlider::handle:disabled, QSlider::sub-page:disabled {{ background: {theme.disabled}; }}
    QScrollBar {{ background: transparent; border: 0; }}
    QScrollBar:vertical {{ width: 0.8em; }}
    QScrollBar:horizontal {{ height: 0.8em; }}
    QScrollBar::handle {{ background: {theme.line}; border-radius: 3px; margin: 2px; }}
    QScrollBar::handle:vertical {{ min-height: 2em; }}
    QScrollBar::handle:horizontal {{ min-width: 2em; }}
    QScrollBar::handle:hover {{ background: {theme.faint}; }}
    QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
    QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
    QCheckBox:focus, QRadioButton:focus, QSlider:focus, QListWidget:focus, QTableWidget:focus,
    QTreeWidget:focus, QTextEdit:focus, QPlainTextEdit:focus, QLineEdit:focus, QComboBox:focus,
    QAbstractSpinBox:focus, QPushButton:focus {{ border: 1px solid {theme.bright}; }}
    QPushButton:default:focus {{ border-color: {theme.text}; }}
    """


def _marks() -> str:
    """Folder of the style sheet's pictures; it cannot tint, so arrows come in both looks, ticks are white."""
    return (resources_dir() / "icons" / "style").as_posix()
