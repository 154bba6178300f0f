"""Where the scripts of operators are run: a home, with programs before the real ones that only write down."""

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from tests.fakes.service_tools import ServiceTools

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "scripts"
SHELL = sorted(path for path in SCRIPTS.rglob("*") if path.is_file() and path.read_bytes().startswith(b"#!"))
TOPIC = "https://ntfy.example.org/a-topic-that-is-a-secret"
TOKEN = "tk_a-token-of-ntfy"
CURL = """#!/bin/sh
printf '%s\\n' "$*" >'{folder}/curl.arguments'
while IFS= read -r line; do printf '%s\\n' "$line"; done >>'{folder}/curl.told'
printf '%s' "$CURL_ANSWER"
[ ! -e '{folder}/curl.fails' ]
"""


@dataclass
class Host:
    """A home with fake programs before the real ones in PATH. `told` is what was posted, `notified` what `notify` was given."""

    home: Path
    tools: ServiceTools
    env: dict[str, str] = field(default_factory=dict)

    def run(self, script: str, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        command = ["/bin/sh", str(SCRIPTS / script), *arguments]
        environment = self.environment(**env)
        return subprocess.run(command, env=environment, cwd=self.home, capture_output=True, text=True, timeout=30)

    def environment(self, **env: str) -> dict[str, str]:
        path = f"{self.tools.folder}:{os.defpath}"
        return {"PATH": path, "HOME": str(self.home), "CURL_ANSWER": "200", **self.env, **env}

    def says(self, code: int, report: str = "{}") -> None:
        """What `remoteclaw models ...` prints and how it ends."""
        self.tools.answer("remoteclaw", "models", out=report, code=code)

    def posted(self) -> str:
        told = self.tools.folder / "curl.told"
        return told.read_text() if told.exists() else ""

    def notified(self) -> list[str]:
        return [call for call in self.tools.calls() if call.startswith("remoteclaw notify")]


def make_host(tmp_path: Path) -> Host:
    home = tmp_path / "home"
    (home / ".remoteclaw").mkdir(parents=True)
    tools = ServiceTools(tmp_path / "tools")
    tools.make("remoteclaw", "systemctl", "loginctl", "ssh")
    tools.make("termux-toast", "termux-vibrate", "termux-open-url", "termux-dialog")
    curl = tools.folder / "curl"
    curl.write_text(CURL.replace("{folder}", str(tools.folder)))
    curl.chmod(0o755)
    return Host(home, tools)
