"""A lock on an open file that ends with the process, however that ends."""

from __future__ import annotations

import errno
import os
import sys

# Windows forbids others to read what is locked: a byte far behind the end stands for the file.
_PLACE = 1 << 40

if sys.platform == "win32":
    import msvcrt

    def lock(descriptor: int) -> bool:
        """Lock the file without waiting; False if someone else has it."""
        os.lseek(descriptor, _PLACE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            return error.errno not in (errno.EACCES, errno.EDEADLK)
        finally:
            os.lseek(descriptor, 0, os.SEEK_SET)
        return True

else:
    import fcntl

    def lock(descriptor: int) -> bool:
        """Lock the file without waiting; False if someone else has it.

        A file system that knows no locks (some shares) counts as free.
        """
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            return error.errno not in (errno.EWOULDBLOCK, errno.EACCES)
        return True
