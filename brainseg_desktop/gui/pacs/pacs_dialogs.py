"""What is asked about an archive: how it is reached, who one is, and how the inbox listens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.gui.panels.parts import faint
from brainseg_desktop.services.language import mark, tr
from brainseg_desktop.services.messages import words
from brainseg_desktop.services.pacs.credentials import Credentials
from brainseg_desktop.services.pacs.nodes import InboxSettings, PacsNode, inbox_folder

_KINDS = {"dimse": mark("DICOM (C-FIND, C-MOVE, C-STORE)"), "web": mark("DICOMweb (QIDO, WADO, STOW)")}
_LOGINS = {"none": mark("None"), "password": mark("User and password"), "token": mark("Token")}


class _Asking(QDialog):
    """A form with a line for what is wrong, which stays open until it can be used.

    Parameters
    ----------
    take : callable
        Given what was entered; raises `UserError` where it cannot be.
    """

    def __init__(self, title: str, accept: str, take: Callable[[], None], parent: QWidget | None) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setMinimumWidth(44 * self.fontMetrics().horizontalAdvance("m"))
        self._take = take
        self.problem = QLabel()
        self.problem.setObjectName("warning")
        self.problem.setWordWrap(True)
        self.problem.hide()
        self.buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
        )
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setText(accept)
        self.buttons.accepted.connect(self._try)
        self.buttons.rejected.connect(self.reject)
        self.column = QVBoxLayout(self)

    def _finish(self) -> None:
        """Add what every form ends with."""
        self.column.addWidget(self.problem)
        self.column.addWidget(self.buttons)

    def _try(self) -> None:
        try:
            self._take()
        except UserError as error:
            self.problem.setText(words(error))
            self.problem.show()
            return
        self.accept()


class NodeDialog(_Asking):
    """Asks how an archive is reached.

    Parameters
    ----------
    node : PacsNode
        To begin with.
    take : callable
        Given the node; raises `UserError` where it cannot be kept.
    """

    def __init__(
        self, node: PacsNode, take: Callable[[PacsNode], None], parent: QWidget | None = None
    ) -> None:
        title = tr("Archive") if node.title else tr("New archive")
        super().__init__(title, tr("Save"), lambda: take(self.node()), parent)
        self._given = node
        self.name = _line(tr("Name"), node.title, tr("As you call it"))
        self.kind = _choice(tr("Spoken to by"), _KINDS, node.kind)
        form = QFormLayout()
        form.addRow(tr("Name"), self.name)
        form.addRow(tr("Spoken to by"), self.kind)
        self.column.addLayout(form)
        self._pages = QStackedWidget()
        self._pages.addWidget(self._dimse_page(node))
        self._pages.addWidget(self._web_page(node))
        self.kind.currentIndexChanged.connect(self._pages.setCurrentIndex)
        self.kind.currentIndexChanged.connect(lambda _: self.problem.hide())
        self._pages.setCurrentIndex(self.kind.currentIndex())
        self.column.addWidget(self._pages)
        trust = QFormLayout()
        self.ca_file = _line(tr("CA file"), node.ca_file, tr("Empty: those of the system"))
        trust.addRow(tr("CA file for TLS"), _with_choice(self.ca_file, self))
        self.column.addLayout(trust)
        self._finish()

    def _dimse_page(self, node: PacsNode) -> QWidget:
        self.host = _line(tr("Host"), node.host, "pacs.example.org")
        self.port = _port(tr("Port"), node.port)
        self.ae_title = _line(tr("AE title"), node.ae_title, tr("Of the archive"))
        self.own_title = _line(tr("Own AE title"), node.own_title)
        self.receive_address = _line(tr("Receive address"), node.receive_address)
        self.receive_port = _port(tr("Receive port"), node.receive_port, least=0)
        self.receive_port.setSpecialValueText(tr("none: by C-GET"))
        self.tls = QCheckBox(tr("Encrypted (TLS)"))
        self.tls.setChecked(node.tls)
        page = QWidget()
        form = QFormLayout(page)
        form.setContentsMargins(0, 0, 0, 0)
        for name, widget in (
            (tr("Host"), self.host),
            (tr("Port"), self.port),
            (tr("AE title"), self.ae_title),
            (tr("Own AE title"), self.own_title),
            (tr("Receive address"), self.receive_address),
            (tr("Receive port"), self.receive_port),
            ("", self.tls),
        ):
            form.addRow(name, widget)
        form.addRow(
            "",
            faint(
                tr(
                    "With a receive port the archive sends exams there (C-MOVE); it must know this "
                    "computer by its own AE title, address and that port. Without one they come on the "
                    "same line (C-GET)."
                )
            ),
        )
        return page

    def _web_page(self, node: PacsNode) -> QWidget:
        self.url = _line("URL", node.url, "https://pacs.example.org/dicom-web")
        self.login = _choice(tr("Login"), _LOGINS, node.login)
        page = QWidget()
        form = QFormLayout(page)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("URL", self.url)
        form.addRow(tr("Login"), self.login)
        form.addRow(
            "", faint(tr("The password is asked for when it is needed. It is never written into a file."))
        )
        return page

    def node(self) -> PacsNode:
        """What is entered."""
        return msgspec.structs.replace(
            self._given,
            title=self.name.text().strip(),
            kind=list(_KINDS)[self.kind.currentIndex()],
            host=self.host.text().strip(),
            port=self.port.value(),
            ae_title=self.ae_title.text().strip(),
            own_title=self.own_title.text().strip(),
            receive_address=self.receive_address.text().strip(),
            receive_port=self.receive_port.value(),
            tls=self.tls.isChecked(),
            url=self.url.text().strip(),
            login=list(_LOGINS)[self.login.currentIndex()] if self.kind.currentIndex() == 1 else "none",
            ca_file=self.ca_file.text().strip(),
        )


class LoginDialog(_Asking):
    """Asks who one is.

    Parameters
    ----------
    node : PacsNode
    keyring : str or None
        What the system's keyring is called; None: there is none, which is said.
    """

    def __init__(self, node: PacsNode, keyring: str | None, parent: QWidget | None = None) -> None:
        super().__init__(tr("Log in to {node}", node=node.title), tr("Log in"), self._check, parent)
        self._node = node
        self.user = _line(tr("User"), "")
        self.secret = _line(tr("Token") if node.login == "token" else tr("Password"), "")
        self.secret.setEchoMode(QLineEdit.EchoMode.Password)
        form = QFormLayout()
        if node.login == "password":
            form.addRow(tr("User"), self.user)
        form.addRow(self.secret.accessibleName(), self.secret)
        self.column.addLayout(form)
        self.keep = QCheckBox(
            tr("Keep it in the keyring ({keyring})", keyring=keyring)
            if keyring
            else tr("Keep it in the keyring")
        )
        self.keep.setEnabled(keyring is not None)
        self.column.addWidget(self.keep)
        if keyring is None:
            self.column.addWidget(
                faint(tr("This computer has no keyring: it is forgotten when the PACS window is closed."))
            )
        self._finish()

    def _check(self) -> None:
        if not self.secret.text() or (self._node.login == "password" and not self.user.text().strip()):
            raise UserError("pacs_login_needed", node=self._node.title)

    @property
    def credentials(self) -> Credentials:
        user = self.user.text().strip() if self._node.login == "password" else ""
        return Credentials(user, self.secret.text())


class InboxDialog(_Asking):
    """Asks where and from whom exams are taken."""

    def __init__(
        self, inbox: InboxSettings, take: Callable[[InboxSettings], None], parent: QWidget | None = None
    ) -> None:
        super().__init__(tr("Inbox"), tr("Save"), lambda: take(self.inbox()), parent)
        self._given = inbox
        self.title = _line(tr("Own AE title"), inbox.own_title)
        self.address = _line(tr("Address"), inbox.address)
        self.port = _port(tr("Port"), inbox.port)
        self.callers = _line(tr("Known senders"), ", ".join(inbox.callers), tr("AE titles; empty: anyone"))
        self.folder = _line(tr("Folder"), str(inbox_folder(inbox)))
        form = QFormLayout()
        for name, widget in (
            (tr("Own AE title"), self.title),
            (tr("Address"), self.address),
            (tr("Port"), self.port),
            (tr("Known senders"), self.callers),
            (tr("Folder"), _with_choice(self.folder, self, folder=True)),
        ):
            form.addRow(name, widget)
        self.column.addLayout(form)
        self.column.addWidget(
            faint(tr("0.0.0.0 listens at all addresses of this computer. Known senders keep strangers out."))
        )
        self._finish()

    def inbox(self) -> InboxSettings:
        """What is entered."""
        text = self.folder.text().strip()
        own = str(inbox_folder(InboxSettings()))
        return msgspec.structs.replace(
            self._given,
            own_title=self.title.text().strip(),
            address=self.address.text().strip(),
            port=self.port.value(),
            callers=tuple(t.strip() for t in self.callers.text().split(",") if t.strip()),
            folder="" if text == own else text,
        )


def _line(name: str, text: str, hint: str = "") -> QLineEdit:
    line = QLineEdit(text)
    line.setAccessibleName(name)
    line.setPlaceholderText(hint)
    return line


def _port(name: str, value: int, least: int = 1) -> QSpinBox:
    box = QSpinBox()
    box.setAccessibleName(name)
    box.setRange(least, 65535)
    box.setValue(value)
    return box


def _choice(name: str, entries: dict[str, str], chosen: str) -> QComboBox:
    box = QComboBox()
    box.setAccessibleName(name)
    box.addItems([tr(text) for text in entries.values()])
    box.setCurrentIndex(list(entries).index(chosen))
    return box


def _with_choice(line: QLineEdit, parent: QWidget, *, folder: bool = False) -> QWidget:
    """A line with a button that asks for its file or folder."""
    title = line.accessibleName()
    button = QPushButton(tr("Choose..."))
    button.setAccessibleName(tr("{what}: choose", what=title))

    def choose() -> None:
        before = str(Path(line.text()).parent) if line.text() and not folder else line.text()
        if folder:
            chosen = QFileDialog.getExistingDirectory(parent, title, before)
        else:
            chosen, _ = QFileDialog.getOpenFileName(
                parent, title, before, tr("Certificates (*.pem *.crt *.cer)")
            )
        if chosen:
            line.setText(chosen)

    button.clicked.connect(lambda _=False: choose())
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addWidget(line, 1)
    layout.addWidget(button)
    return row
