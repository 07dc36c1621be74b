"""Look up every locked package among the known vulnerabilities: `python -m tools.audit`.

pip-audit asks the package index for its advisories. Where the index cannot be reached, or has none, it either breaks
off or passes over every package and reports no vulnerability. Neither is a result, so this says so, and fails for
vulnerabilities and for faults only.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
PIP_AUDIT: Final = ROOT / ".tools" / "security" / "bin" / "pip-audit"
LOCKS: Final = ("layers/*/requirements.txt", "functions/*/requirements.txt", "requirements/*.txt")
_UNREACHABLE = re.compile(
    r"ConnectionError|ConnectTimeout|ReadTimeout|NameResolutionError|ProxyError|SSLError"
)

type Run = Callable[[Path], tuple[str, str]]


@dataclass
class Findings:
    """What was learned of the packages of some lock files.

    Attributes
    ----------
    vulnerable
        A sentence for each package and advisory.
    audited, unknown
        Packages that were looked up, and those of which the index knew nothing.
    faults
        What went wrong otherwise, by lock file.
    """

    vulnerable: set[str] = field(default_factory=set)
    audited: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    faults: dict[str, str] = field(default_factory=dict)
    unreachable: bool = False

    def read(self, lock: str, answer: str, complaint: str) -> None:
        """Take in what pip-audit wrote about a lock file: JSON, or a complaint instead."""
        try:
            dependencies = json.loads(answer)["dependencies"]
        except (ValueError, KeyError, TypeError):
            if _UNREACHABLE.search(complaint):
                self.unreachable = True
            else:
                self.faults[lock] = complaint.strip() or "pip-audit said nothing"
            return
        for package in dependencies:
            if "skip_reason" in package:
                self.unknown.add(package["name"])
                continue
            name = f"{package['name']} {package['version']}"
            self.audited.add(name)
            for advisory in package["vulns"]:
                fixed = ", ".join(advisory["fix_versions"]) or "no version yet"
                names = ", ".join([advisory["id"], *advisory.get("aliases", [])])
                self.vulnerable.add(f"{name} in {lock}: {names}; fixed in {fixed}")

    @property
    def failed(self) -> bool:
        """Whether a person has to do something."""
        return bool(self.vulnerable or self.faults)

    def sentences(self) -> list[str]:
        """Say what was found, and what could not be looked up."""
        said = [f"{lock}: {complaint}" for lock, complaint in self.faults.items()]
        said += sorted(self.vulnerable)
        if self.vulnerable:
            said.append("`make lock UPGRADE=1` takes newer versions.")
        if self.unreachable or (self.unknown and not self.audited):
            said.append("NOT AUDITED: the data on vulnerabilities cannot be reached from here.")
        elif self.unknown:
            said.append(f"NOT AUDITED, the index does not know them: {', '.join(sorted(self.unknown))}")
        if self.audited and not self.vulnerable:
            said.append(f"{len(self.audited)} packages have no known vulnerabilities.")
        return said


def audit(locks: Sequence[Path], run: Run) -> Findings:
    """Look up the packages of every lock file; stops when the index cannot be reached.

    Parameters
    ----------
    locks
        Lock files with hashes.
    run
        Runs pip-audit on one, and returns what it wrote to its output and to its error output.
    """
    findings = Findings()
    for lock in locks:
        findings.read(str(lock.relative_to(ROOT)), *run(lock))
        if findings.unreachable or (findings.unknown and not findings.audited):
            break
    return findings


def pip_audit(lock: Path) -> tuple[str, str]:
    """Run pip-audit on a lock file, which names every package: nothing is resolved or installed."""
    options = ["--disable-pip", "--require-hashes", "--format", "json", "--progress-spinner", "off"]
    done = subprocess.run(
        [str(PIP_AUDIT), *options, "--requirement", str(lock)], capture_output=True, text=True, check=False
    )
    return done.stdout, done.stderr


def locked() -> list[Path]:
    """Return the lock files that name any package."""
    found = [path for pattern in LOCKS for path in sorted(ROOT.glob(pattern))]
    return [path for path in found if re.search(r"^[a-z0-9].*==", path.read_text(), re.MULTILINE)]


def main() -> int:
    """Audit what is locked; return the exit status."""
    findings = audit(locked(), pip_audit)
    print("\n".join(findings.sentences()))
    return int(findings.failed)


if __name__ == "__main__":
    sys.exit(main())
