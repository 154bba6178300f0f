"""The text of a systemd unit (systemd.service(5), systemd.exec(5), systemd.syntax(7))."""

from pathlib import Path

from bot.ops.service_plan import ServicePlan
from bot.paths import STATE_DIR

MARK = "# Made by `remoteclaw service install`, which replaces it. "
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


def unit_text(plan: ServicePlan, owner: str | None) -> str:
    """The unit. `owner` None: one of the user's own manager; else one of the system's, which runs as this user."""
    edit = f"systemctl {'--user ' if owner is None else ''}edit {plan.name}"
    network = () if owner is None else ("Wants=network-online.target", "After=network-online.target")
    lines = [
        f"{MARK}What is yours goes into a drop-in: {edit}",
        "[Unit]",
        "Description=RemoteClaw, a chat gateway",
        *network,
        "StartLimitIntervalSec=300",
        "StartLimitBurst=5",
        "",
        "[Service]",
        "Type=notify",
        f"ExecStart={' '.join(_argument(word) for word in plan.command)}",
        "ExecReload=/bin/kill -HUP $MAINPID",
        *(() if owner is None else (f"User={owner}",)),
        f"WorkingDirectory={_plain(str(plan.state))}",
        *(f"Environment={_quoted(f'{name}={value}')}" for name, value in sorted(plan.variables.items())),
        *(f"LoadCredential={name}:{_plain(str(path))}" for name, path in plan.credentials),
        "UMask=0077",
        "Restart=on-failure",
        "RestartSec=5",
        "TimeoutStopSec=75",
        f"WatchdogSec={WATCHDOG_SECONDS}",
        "StandardOutput=journal",
        "StandardError=journal",
        f"SyslogIdentifier={plan.name}",
        "",
        *_SECCOMP,
        *(_OF_THE_SYSTEM if owner is not None else ()),
        *_file_system(plan, owner),
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


def written(path: str) -> str:
    """A path as `state_of` finds it."""
    return _quoted(path)[1:-1]


def _file_system(plan: ServicePlan, owner: str | None) -> list[str]:
    """Everything may be read and little written. In a user's unit that needs a user namespace, in which no file belongs to root;
    where the kernel gives none, the manager does without."""
    if owner is None and plan.runs_commands:
        return [
            "# No PrivateTmp and ProtectSystem: in the user namespace that they need, the commands of the config that give",
            "# secrets would not belong to root any more, and would be refused. A unit of the system can have both.",
        ]
    places = [_quoted(str(plan.state)), *(_quoted(f"-{place}") for place in plan.writable)]
    used = [plan.state, Path(plan.command[0]), *plan.writable]
    private = [] if any(path.is_relative_to(folder) for path in used for folder in _SHARED) else ["PrivateTmp=yes"]
    return [*private, "ProtectSystem=strict", f"ReadWritePaths={' '.join(places)}"]


def _plain(text: str) -> str:
    """A value that takes the rest of its line."""
    return text.replace("%", "%%")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{_plain(escaped)}"'


def _argument(text: str) -> str:
    """A word of a command, where `$` would be a variable."""
    return _quoted(text.replace("$", "$$"))
