"""PlatformIO runs `python tool-scons/scons.py`; this hands over to the SCons of that Python (`pip install scons`)."""

import sys

from SCons.Script.Main import main

sys.exit(main())
