"""`python -m bot` is `remoteclaw`."""

import sys

from bot.cli.main import main

sys.exit(main())
