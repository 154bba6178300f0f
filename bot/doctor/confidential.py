"""Secrets: references that give nothing, secrets that lie about, and commands that others could change. Never a secret itself."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from bot import doctor_wiring as wiring
from bot.doctor.check import Check, error, note, ok, warning
from bot.doctor.scene import Scene
from bot.secrets_findings import Code, Finding
from core.auth.oauth_guard import UNSUPPORTED, oauth_violations

if TYPE_CHECKING:
    from bot.secrets_audit import Report

_MOVE = "Move it behind a reference: remoteclaw secrets configure"


def checks(scene: Scene) -> Iterator[Check]:
    """What the audit finds, told by what is to be done; then what only the gateway's own rules find."""
    report = _audit(scene)
    found = [*_findings(report.findings, scene), *_commands(scene), *_logins(scene)]
    yield from found
    if report.checked and not any(check.verdict.rank > 1 for check in found):
        yield ok("secrets", "secrets", f"{report.checked} secret reference(s) give what they are to give.")


def _audit(scene: Scene) -> "Report":
    """With the sources that the credentials were asked from, so that no command runs twice."""
    from bot.app import open_secrets
    from bot.log import learn_secrets
    from bot.secrets_audit import Auditor

    auditor = Auditor(
        paths=scene.paths,
        environ=scene.environment,
        open_sources=lambda _settings, _environ: scene.sources,
        declared=open_secrets(scene.paths).declared,
        learn=learn_secrets,
    )
    one = scene.agents[0] if scene.agents != scene.every_agent else None
    return auditor.audit(one, allow_exec=scene.settings is not None)


def _findings(findings: Iterable[Finding], scene: Scene) -> Iterator[Check]:
    config = str(scene.paths.config)
    plain: Counter[str] = Counter()
    for finding in findings:
        place = finding.place
        if not place.path or (place.path == ("secrets",) and scene.settings is None):
            if finding.code is Code.LEGACY_RESIDUE:
                yield note(
                    "secret.residue", place.file, f"{place.file} holds logins of an older layout.", finding.message
                )
            continue  # what keeps a file from being read is told where the file is looked at
        if finding.code is Code.REF_UNRESOLVED and UNSUPPORTED not in finding.message:
            yield error("secret.unresolved", place, f"{place}: {finding.message}", _elsewhere(place.path))
        elif finding.code is Code.REF_SHADOWED:
            yield note("secret.shadowed", place, f"{place}: {finding.message}", "Remove the plain secret.")
        elif finding.code is Code.PLAINTEXT_FOUND and place.file == config:
            yield warning("secret.plain", place, f"{place} is a secret as it is.", _MOVE)
        elif finding.code is Code.PLAINTEXT_FOUND and place.file != str(scene.paths.dotenv):
            plain[place.file] += 1
    for file, count in plain.items():
        told = f"{file} holds {count} secret(s) as they are."
        yield note("secret.stored", file, told, "To keep them elsewhere: remoteclaw secrets configure")


def _elsewhere(path: tuple[str | int, ...]) -> str:
    """What can be done besides what the message says."""
    if path[:1] in (("auth",), ("models",), ("profiles",)):
        return "Or store the credential itself: remoteclaw models auth add"
    return "Or correct the reference: `remoteclaw secrets configure` asks for it."


def _commands(scene: Scene) -> Iterator[Check]:
    for alias, options in scene.settings.secrets.providers.items() if scene.settings is not None else ():
        fault = wiring.command_fault(alias, options) if options.source == "exec" else None
        if fault is not None:
            step = fault.hint or f"Correct secrets.providers.{alias}."
            yield error("secret.command", f"secrets.providers.{alias}", fault.message, step)


def _logins(scene: Scene) -> Iterator[Check]:
    """Each once, whichever agents share it. The gateway does not start with one."""
    lines = dict.fromkeys(line for agent in scene.agents for line in oauth_violations(scene.profiles(agent)))
    for line in lines:
        step = "Log in again, or store the credential as a key or token; the gateway does not start before."
        yield error("secret.oauth", line.partition(": ")[0], f"{line}.", step)
