"""Exit codes that scripts rely on (interfaces.md)."""

OK = 0
FAILED = 1
"""One sentence on standard error says why."""
USAGE = 2
INTERRUPTED = 130
