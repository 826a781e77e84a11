"""What the frozen `brainseg` runs: the command line, and the workers behind the window."""

from brainseg_desktop.__main__ import main
from brainseg_desktop.services.own_program import clean_environment

clean_environment()
main()
