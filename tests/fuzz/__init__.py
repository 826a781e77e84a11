"""Damaged files by the thousand: every reader opens them or refuses them in words.

``python -m tests.fuzz --count 10000`` makes that many files from a few sound ones (`mutate`), lets the
readers (`targets`) at them in processes of their own with 2 GB of memory (`worker`), and lists what did
anything but open or refuse (`runner`). A failure is made again with
``--target NAME --seed S --first N --count 1 --keep FOLDER``.
"""
