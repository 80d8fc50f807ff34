import sys

from akeso_lab.cli import main

sys.exit(main())
