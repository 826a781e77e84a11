"""Exchange with archives, tried against servers of our own and against Orthanc."""

from pynetdicom.transport import AssociationSocket

_as_it_was = AssociationSocket._shutdown_socket


def _and_close(self: AssociationSocket) -> None:
    """The library leaves a socket whose peer hung up first to the garbage collector, which warns of it."""
    held = self.socket
    _as_it_was(self)
    if held is not None:
        held.close()


AssociationSocket._shutdown_socket = _and_close
