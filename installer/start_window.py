"""What the frozen `brainseg-desktop` runs: the window, without a console."""

from brainseg_desktop.__main__ import main_windowed
from brainseg_desktop.services.own_program import clean_environment

clean_environment()
main_windowed()
