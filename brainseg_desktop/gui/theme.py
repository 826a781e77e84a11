"""Dark and light look: Qt's Fusion style with a palette and a short style sheet. One accent colour."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QApplication


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours of one look."""

    name: str
    window: str
    panel: str
    raised: str
    text: str
    faint: str
    line: str
    accent: str
    accent_text: str
    warning: str
    good: str


DARK = Theme(
    "dark",
    "#1b1e22",
    "#1e2126",
    "#2a2f36",
    "#dde1e5",
    "#98a0a8",
    "#363c44",
    "#2463ad",
    "#ffffff",
    "#e0a030",
    "#35b27a",
)
LIGHT = Theme(
    "light",
    "#f3f4f6",
    "#ffffff",
    "#e7e9ed",
    "#1d2126",
    "#596069",
    "#cfd4da",
    "#1f5fae",
    "#ffffff",
    "#9a5b00",
    "#0b7a4b",
)
THEMES = {theme.name: theme for theme in (DARK, LIGHT)}


def apply_theme(app: QApplication, theme: Theme) -> None:
    """Give the whole program this look."""
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
        QPalette.ColorRole.PlaceholderText: theme.faint,
        QPalette.ColorRole.Link: theme.accent,
    }
    for role, colour in roles.items():
        palette.setColor(role, QColor(colour))
    for role in (QPalette.ColorRole.Text, QPalette.ColorRole.ButtonText, QPalette.ColorRole.WindowText):
        palette.setColor(QPalette.ColorGroup.Disabled, role, QColor(theme.faint))
    app.setPalette(palette)
    app.setStyleSheet(_style_sheet(theme))


def _style_sheet(theme: Theme) -> str:
    return f"""
    QToolBar {{ background: {theme.window}; border: 0; border-bottom: 1px solid {theme.line};
        spacing: 3px; padding: 4px 6px; }}
    QToolBar::separator {{ background: {theme.line}; width: 1px; margin: 5px 5px; }}
    QToolButton {{ color: {theme.text}; background: transparent; border: 1px solid transparent;
        border-radius: 4px; padding: 4px 7px; }}
    QToolButton:hover {{ background: {theme.raised}; }}
    QToolButton:checked {{ background: {theme.raised}; border-color: {theme.accent}; }}
    QToolButton:disabled {{ color: {theme.faint}; }}
    QToolButton#segment {{ background: {theme.accent}; color: {theme.accent_text}; font-weight: 600; }}
    QToolButton#segment {{ padding-right: 26px; }}
    QToolButton#segment::menu-button {{ border: 0; border-left: 1px solid {theme.window}; width: 18px;
        border-top-right-radius: 4px; border-bottom-right-radius: 4px; }}
    QToolButton#segment:disabled {{ background: {theme.raised}; color: {theme.faint}; }}
    QDockWidget {{ titlebar-close-icon: none; titlebar-normal-icon: none; }}
    QDockWidget::title {{ background: {theme.window}; padding: 6px 8px; }}
    QDockWidget > QWidget, QScrollArea, QScrollArea > QWidget > QWidget {{ background: {theme.window}; }}
    QScrollArea {{ border: 0; }}
    QStatusBar {{ background: {theme.window}; border-top: 1px solid {theme.line}; color: {theme.faint}; }}
    QStatusBar::item {{ border: 0; }}
    QLabel#heading {{ color: {theme.faint}; font-weight: 600; }}
    QLabel#faint {{ color: {theme.faint}; }}
    QLabel#score {{ font-size: 15pt; }}
    QFrame#tile {{ background: {theme.raised}; border-radius: 5px; }}
    QFrame#message {{ background: {theme.raised}; border-left: 4px solid {theme.warning}; }}
    QFrame#message[kind="info"] {{ border-left: 4px solid {theme.good}; }}
    QListWidget, QTableWidget {{ background: {theme.panel}; border: 1px solid {theme.line};
        border-radius: 4px; }}
    QListWidget::item {{ padding: 5px; }}
    QTableWidget::item {{ padding: 0 2px; }}
    QHeaderView::section {{ background: {theme.window}; color: {theme.faint}; border: 0; padding: 3px 5px; }}
    QLineEdit, QComboBox, QSpinBox, QDoubleSpinBox {{ background: {theme.panel};
        border: 1px solid {theme.line};
        border-radius: 4px; padding: 3px 6px; min-height: 18px; }}
    QPushButton {{ background: {theme.raised}; border: 1px solid {theme.line}; border-radius: 4px;
        padding: 5px 12px; }}
    QPushButton:hover {{ border-color: {theme.accent}; }}
    QPushButton:default {{ background: {theme.accent}; color: {theme.accent_text}; }}
    QPushButton:disabled {{ color: {theme.faint}; }}
    QProgressBar {{ border: 1px solid {theme.line}; border-radius: 4px; text-align: center;
        background: {theme.panel}; }}
    QProgressBar::chunk {{ background: {theme.accent}; border-radius: 3px; }}
    QCheckBox::indicator, QTableWidget::indicator {{ width: 13px; height: 13px;
        border: 1px solid {theme.faint};
        border-radius: 3px; background: {theme.panel}; }}
    QCheckBox::indicator:checked, QTableWidget::indicator:checked {{ background: {theme.accent};
        border-color: {theme.text}; }}
    QRadioButton::indicator {{ width: 12px; height: 12px; border: 1px solid {theme.faint};
        border-radius: 7px; background: {theme.panel}; }}
    QRadioButton::indicator:checked {{ background: {theme.accent}; border-color: {theme.text}; }}
    QSplitter::handle {{ background: {theme.line}; }}
    QToolTip {{ background: {theme.raised}; color: {theme.text}; border: 1px solid {theme.line};
        padding: 3px; }}
    """
