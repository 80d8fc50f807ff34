import signal
import sys

from akeso_lab.cli import main

# `status | head` ends quietly, as every Unix program does.
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
sys.exit(main())
