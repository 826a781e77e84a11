"""The one exception whose cause the user can mend."""

from __future__ import annotations


class UserError(Exception):
    """Something the user can mend: a code and the parameters its sentence needs.

    Core and services know no words: `services.messages` turns the code into a sentence that says what
    happened, in which file, and what to do.

    Parameters
    ----------
    code : str
        Key of the sentence, e.g. ``"file_truncated"``.
    **params
        Values that the sentence names, e.g. ``path=...``.
    """

    def __init__(self, code: str, **params: object) -> None:
        super().__init__(code)
        self.code = code
        self.params = params

    def __str__(self) -> str:
        details = ", ".join(f"{name}={value}" for name, value in self.params.items())
        return f"{self.code}({details})"
