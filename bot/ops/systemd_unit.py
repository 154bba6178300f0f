"""The text of a systemd unit (systemd.service(5), systemd.exec(5), systemd.syntax(7))."""

from pathlib import Path

from bot.ops.service_plan import ServicePlan
from bot.paths import STATE_DIR

MARK = "# Made by `remoteclaw service install`, which replaces it. "
_GRANTED = "# Given with --read-write: "
_HANDED = "LoadCredential="
WATCHDOG_SECONDS = 120
"""How long no sign of life may come. A database that a backup keeps busy for a moment is no reason for a restart."""

_SHARED = ("/tmp", "/var/tmp")  # noqa: S108 - what PrivateTmp would hide
_SECCOMP = (
    "NoNewPrivileges=yes",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "LockPersonality=yes",
    "SystemCallArchitectures=native",
)
"""What every unit may ask for: a filter of system calls, which needs no privilege."""
_OF_THE_SYSTEM = (
    "CapabilityBoundingSet=",
    "PrivateDevices=yes",
    "ProtectClock=yes",
    "ProtectControlGroups=yes",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
)
"""What takes capabilities away or makes mounts that only the system's manager may make: in a user's unit these fail (218)."""


def unit_text(plan: ServicePlan) -> str:
    """The unit: without an owner one of the user's own manager, else one of the system's."""
    owner = plan.owner
    edit = f"systemctl {'--user ' if owner is None else ''}edit {plan.name}"
    network = () if owner is None else ("Wants=network-online.target", "After=network-online.target")
    lines = [
        f"{MARK}What is yours goes into a drop-in: {edit}",
        "[Unit]",
        "Description=RemoteClaw, a chat gateway",
        *network,
        "StartLimitIntervalSec=0",
        "",
        "[Service]",
        "Type=notify",
        f"ExecStart={' '.join(_argument(word) for word in plan.command)}",
        "ExecReload=/bin/kill -HUP $MAINPID",
        *(() if owner is None else (f"User={owner}",)),
        f"WorkingDirectory={_folder(plan.state)}",
        *(f"Environment={_quoted(f'{name}={value}')}" for name, value in sorted(plan.variables.items())),
        *(f"{_HANDED}{name}:{_plain(str(path))}" for name, path in plan.credentials),
        "UMask=0077",
        "Restart=on-failure",
        "RestartSec=15",
        "TimeoutStopSec=75",
        f"WatchdogSec={WATCHDOG_SECONDS}",
        "LimitCORE=0",
        "StandardOutput=journal",
        "StandardError=journal",
        f"SyslogIdentifier={plan.name}",
        "",
        *_SECCOMP,
        *(_OF_THE_SYSTEM if owner is not None else ()),
        *(f"{_GRANTED}{place}" for place in plan.granted),
        *_file_system(plan),
        "",
        "[Install]",
        f"WantedBy={'default.target' if owner is None else 'multi-user.target'}",
    ]
    return "\n".join(lines) + "\n"


def is_ours(text: str) -> bool:
    """Whether `unit_text` has made it."""
    return text.startswith(MARK)


def state_of(text: str) -> str | None:
    """The state directory that a unit of ours serves, as it is written there."""
    start = f'Environment="{STATE_DIR}='
    found = next((line for line in text.splitlines() if line.startswith(start)), None)
    return None if found is None else found[len(start) : -1]


def kept_of(text: str) -> tuple[list[tuple[str, Path]], list[Path]]:
    """The credentials and the further places that a unit of ours was made with."""
    credentials = []
    for line in text.splitlines():
        name, colon, path = line.removeprefix(_HANDED).partition(":")
        if line.startswith(_HANDED) and colon:
            credentials.append((name, Path(path.replace("%%", "%"))))
    places = [Path(line.removeprefix(_GRANTED)) for line in text.splitlines() if line.startswith(_GRANTED)]
    return credentials, places


def written(path: str) -> str:
    """A path as `state_of` finds it."""
    return _quoted(path)[1:-1]


def _file_system(plan: ServicePlan) -> list[str]:
    """Everything may be read and little written. In a user's unit that needs a user namespace, in which no file belongs to root;
    where the kernel gives none, the manager does without."""
    if plan.owner is None and plan.runs_commands:
        return [
            "# No PrivateTmp and ProtectSystem: in the user namespace that they need, the commands of the config that give",
            "# secrets would not belong to root any more, and would be refused. A unit of the system can have both.",
        ]
    beside = list(dict.fromkeys((*plan.writable, *plan.granted)))
    places = [_quoted(str(plan.state)), *(_quoted(f"-{place}") for place in beside)]
    used = [plan.state, Path(plan.command[0]), *beside]
    private = [] if any(path.is_relative_to(folder) for path in used for folder in _SHARED) else ["PrivateTmp=yes"]
    return [*private, "ProtectSystem=strict", f"ReadWritePaths={' '.join(places)}"]


def _plain(text: str) -> str:
    """A value that takes the rest of its line."""
    return text.replace("%", "%%")


def _folder(path: Path) -> str:
    """A backslash at the end would take the next line in, so a path does not end with one."""
    return _plain(f"{path}/" if str(path).endswith("\\") else str(path))


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{_plain(escaped)}"'


def _argument(text: str) -> str:
    """A word of a command, where `$` would be a variable."""
    return _quoted(text.replace("$", "$$"))
