"""Check every locked package for known vulnerabilities: `python -m tools.audit`.

pip-audit asks the package index for its advisories. If the index is unreachable or has none, pip-audit either fails
or skips every package and reports no vulnerability. This module reports such packages as not audited. It fails only
for vulnerabilities and for other errors of pip-audit.
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
    """Results for the packages of some lock files.

    Attributes
    ----------
    vulnerable
        A sentence for each package and advisory.
    audited, unknown
        Packages that were checked, and those that the index does not know.
    faults
        Other errors, by lock file.
    """

    vulnerable: set[str] = field(default_factory=set)
    audited: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    faults: dict[str, str] = field(default_factory=dict)
    unreachable: bool = False

    def read(self, lock: str, answer: str, complaint: str) -> None:
        """Add pip-audit's output for a lock file: JSON, or an error message."""
        try:
            dependencies = json.loads(answer)["dependencies"]
        except (ValueError, KeyError, TypeError):
            if _UNREACHABLE.search(complaint):
                self.unreachable = True
            else:
                self.faults[lock] = complaint.strip() or "pip-audit printed nothing"
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
        """Whether there are vulnerabilities or errors."""
        return bool(self.vulnerable or self.faults)

    def sentences(self) -> list[str]:
        """Return what was found and what could not be checked, as sentences."""
        said = [f"{lock}: {complaint}" for lock, complaint in self.faults.items()]
        said += sorted(self.vulnerable)
        if self.vulnerable:
            said.append("Run `make lock UPGRADE=1` to take newer versions.")
        if self.unreachable or (self.unknown and not self.audited):
            said.append("NOT AUDITED: the vulnerability data is unreachable from here.")
        elif self.unknown:
            said.append(f"NOT AUDITED, unknown to the index: {', '.join(sorted(self.unknown))}")
        if self.audited and not self.vulnerable:
            said.append(f"{len(self.audited)} packages have no known vulnerabilities.")
        return said


def audit(locks: Sequence[Path], run: Run) -> Findings:
    """Check the packages of every lock file; stop if the index is unreachable.

    Parameters
    ----------
    locks
        Lock files with hashes.
    run
        Runs pip-audit on a lock file and returns its standard output and standard error.
    """
    findings = Findings()
    for lock in locks:
        findings.read(str(lock.relative_to(ROOT)), *run(lock))
        if findings.unreachable or (findings.unknown and not findings.audited):
            break
    return findings


def pip_audit(lock: Path) -> tuple[str, str]:
    """Run pip-audit on a lock file. The file names every package, so nothing is resolved or installed."""
    options = ["--disable-pip", "--require-hashes", "--format", "json", "--progress-spinner", "off"]
    done = subprocess.run(
        [str(PIP_AUDIT), *options, "--requirement", str(lock)], capture_output=True, text=True, check=False
    )
    return done.stdout, done.stderr


def locked() -> list[Path]:
    """Return the lock files that are not empty."""
    found = [path for pattern in LOCKS for path in sorted(ROOT.glob(pattern))]
    return [path for path in found if re.search(r"^[a-z0-9].*==", path.read_text(), re.MULTILINE)]


def main() -> int:
    """Audit the locked packages; return the exit status."""
    findings = audit(locked(), pip_audit)
    print("\n".join(findings.sentences()))
    return int(findings.failed)


if __name__ == "__main__":
    sys.exit(main())
