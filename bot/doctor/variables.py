"""Variables: the lines of `.env`, what hides them, and what is taken from other files."""

import re
from collections import Counter
from collections.abc import Iterator

from bot.doctor.check import Check, Verdict, error, note, ok, warning
from bot.doctor.modes import UNWRITABLE, Guarded, look
from bot.doctor.scene import Scene
from bot.dotenv import parse_dotenv
from bot.secrets_files import Unreadable, read_regular, text_of
from core.auth.variables import Origin

_NAME = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")
_OWN = ("REMOTECLAW_HOME", "REMOTECLAW_STATE_DIR")


def checks(scene: Scene) -> Iterator[Check]:
    """Of the state directory's `.env` first; then what the environment says about the other files."""
    path = scene.paths.dotenv
    try:
        content = read_regular(path)
        text = text_of(content) if content is not None else None
    except Unreadable as reason:
        yield error(
            "env.unreadable", path, f"{path} {reason}, so nothing starts.", "Write NAME=value lines, one a line."
        )
        return
    found = [] if text is None else [*_lines(text, scene), *_hidden(parse_dotenv(text), scene)]
    failure = scene.environment_error
    if failure is not None and not any(check.verdict is Verdict.ERROR for check in look(Guarded(path, UNWRITABLE))):
        found.append(
            error("env.unreadable", path, failure.message, failure.hint or "Mend that file; nothing starts before.")
        )
    found += [note("env.file", "variables", told) for told in scene.shell.notes]
    yield from found
    if text is not None and not found:
        yield ok("env", path, f"{path} has {len(parse_dotenv(text))} variable(s), and every line is understood.")


def _lines(text: str, scene: Scene) -> Iterator[Check]:
    """Lines by their numbers: what stands in them may be a secret."""
    path = scene.paths.dotenv
    names: Counter[str] = Counter()
    for number, line in enumerate(text.splitlines(), start=1):
        bare = line.strip()
        if not bare or bare.startswith("#"):
            continue
        found = _NAME.fullmatch(bare)
        if found is None:
            told = f"Line {number} of {path} is not NAME=value, so it is passed over."
            yield warning("env.syntax", f"{path}:{number}", told, "Correct or remove the line.")
            continue
        names[found[1]] += 1
        if found[2][:1] in ("'", '"') and found[2][1:].find(found[2][0]) < 0:
            told = f"Line {number} of {path}: the value of {found[1]} begins with a quote that does not end."
            yield warning("env.syntax", f"{path}:{number}", told, "Close the quote.")
        if found[1] in _OWN:
            told = f"{found[1]} in {path} has no effect: it says where this very file is."
            yield warning("env.own", found[1], told, "Set it in the environment itself.")
    for name in (name for name, count in names.items() if count > 1):
        yield note(
            "env.duplicate", name, f"{path} sets {name} {names[name]} times; the last one counts.", "Remove the others."
        )


def _hidden(values: dict[str, str], scene: Scene) -> Iterator[Check]:
    """What this shell has of these variables hides them here; a service does not have it."""
    path = scene.paths.dotenv
    layers = scene.shell.layers
    for name, value in values.items():
        for origin, where in ((Origin.PROCESS, "This shell"), (Origin.WORKING_DIR, "The working directory's .env")):
            above = layers.get(origin, {}).get(name)
            if above is None or above == value:
                continue
            if not above.strip():
                told = f"{where} sets {name} to nothing, which hides the value in {path}."
                yield warning("env.blank", name, told, f"Run: unset {name}")
            else:
                told = f"{where} sets {name} to another value than {path}, and that one counts here; a service takes {path}."
                yield note("env.shadowed", name, told, f"Run `unset {name}` to see what a service sees.")
            break
