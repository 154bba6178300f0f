"""Programs of a service manager as small scripts: they write down how they were called, and answer what a test has said."""

from pathlib import Path

_SCRIPT = """#!/bin/sh
printf '%s\\n' "${0##*/} $*" >>'{folder}/calls'
for word in "$@"; do
    case $word in -*) ;; *) break ;; esac
done
name='{folder}'/"${0##*/}.$word"
if [ -r "$name.left" ]; then
    read -r left <"$name.left"
    if [ "$left" -gt 0 ]; then printf '%s\\n' $((left - 1)) >"$name.left"; name=$name.first; fi
fi
if [ -r "$name.out" ]; then while IFS= read -r line; do printf '%s\\n' "$line"; done <"$name.out"; fi
if [ -r "$name.err" ]; then while IFS= read -r line; do printf '%s\\n' "$line" >&2; done <"$name.err"; fi
if [ -r "$name.code" ]; then read -r code <"$name.code"; exit "$code"; fi
"""


class ServiceTools:
    """`folder` goes into PATH. Nothing is there before `make`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def make(self, *names: str) -> None:
        for name in names:
            script = self.folder / name
            script.write_text(_SCRIPT.replace("{folder}", str(self.folder)))
            script.chmod(0o755)

    def answer(self, tool: str, verb: str, out: str = "", err: str = "", code: int = 0, first: int = 0) -> None:
        """What a call with this verb (its first word that is no flag) prints and how it ends, from now on; with `first` only so
        many calls, and then as was said before."""
        name = f"{tool}.{verb}"
        if first:
            (self.folder / f"{name}.left").write_text(f"{first}\n")
            name += ".first"
        for kind, text in (("out", out), ("err", err), ("code", str(code))):
            (self.folder / f"{name}.{kind}").write_text(f"{text}\n" if text else "")

    def calls(self) -> list[str]:
        """How they were called since this was asked last."""
        book = self.folder / "calls"
        found = book.read_text().splitlines() if book.exists() else []
        book.unlink(missing_ok=True)
        return found
