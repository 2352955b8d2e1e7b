"""On which disks a ledger in a file is safe: where all who open it share one set of locks.

Network and cluster file systems, and folders that a program presents (FUSE), have locks of their own machine at
best: two machines would each believe that they alone work there, and pay twice. So what is not known to be local is
refused.
"""

import re
import subprocess
import sys
from pathlib import Path

from batchgen.errors import LedgerError

#: File systems of disks and memory of this machine, as Linux and the BSDs name them.
LOCAL = frozenset(
    {
        "aufs", "apfs", "bcachefs", "btrfs", "devtmpfs", "ecryptfs", "erofs", "exfat", "ext2", "ext3", "ext4",
        "f2fs", "ffs", "fuseblk", "hfs", "hfsplus", "iso9660", "jfs", "minix", "msdos", "nilfs2", "ntfs", "ntfs3",
        "overlay", "overlayfs", "ramfs", "reiserfs", "rootfs", "squashfs", "tmpfs", "ubifs", "udf", "ufs", "vfat",
        "xfs", "zfs",
    }
)  # fmt: skip
#: Programs that present a folder which lies on a disk of this machine.
LOCAL_PROGRAMS = frozenset(
    {
        "fuse.bindfs", "fuse.cryfs", "fuse.encfs", "fuse.exfat", "fuse.ext2", "fuse.ext4", "fuse.fuse-overlayfs",
        "fuse.gocryptfs", "fuse.lxcfs", "fuse.ntfs", "fuse.ntfs-3g", "fuse.securefs", "fuse.veracrypt", "fuse.zfs",
    }
)  # fmt: skip
_REMOTE_DRIVE = 4  # GetDriveTypeW


def is_local(kind: str) -> bool:
    """Whether a file system of this kind lies on this machine; "" (the system does not say) counts as local."""
    return kind in {"", "local"} | LOCAL | LOCAL_PROGRAMS


def file_system_of(path: Path) -> str:
    """The kind of the file system that holds `path`, as the system names it; "" where it does not say."""
    here = str(path.resolve())
    if sys.platform == "win32":
        return _on_windows(here)
    if sys.platform == "darwin":
        return from_mount_command(here, _output_of("/sbin/mount"))
    try:
        return from_proc_mounts(here, Path("/proc/mounts").read_text(encoding="utf-8", errors="surrogateescape"))
    except OSError:
        return ""


def from_proc_mounts(path: str, mounts: str) -> str:
    """The kind of `path`'s file system from the text of /proc/mounts; the last mount on a place counts."""
    entries = []
    for line in mounts.splitlines():
        place, kind = [*line.split(" "), "", "", ""][1:3]
        place = re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), place)
        entries.append((place, kind))
    return _of_longest(path, entries)


def from_mount_command(path: str, output: str) -> str:
    """The same from what macOS's `mount` prints: `//mia@nas/films on /Volumes/films (smbfs, nodev, nosuid)`.

    A file system that the system itself calls local is given as "local".
    """
    entries = []
    for line in output.splitlines():
        if found := re.fullmatch(r".* on (/.*) \(([^()]*)\)", line):
            words = [word.strip() for word in found[2].split(",")]
            entries.append((found[1], "local" if "local" in words[1:] else words[0]))
    return _of_longest(path, entries)


def _of_longest(path: str, entries: list[tuple[str, str]]) -> str:
    best, kind = "", ""
    for place, what in entries:
        inside = path == place or path.startswith(place.rstrip("/") + "/")
        if place and inside and len(place) >= len(best):
            best, kind = place, what
    return kind


def _on_windows(path: str) -> str:
    """A share (`\\\\server\\share`) and a drive letter that stands for one are not local."""
    if path.startswith("\\\\") and not re.match(r"\\\\[?.]\\[A-Za-z]:", path):
        return "network share"
    import ctypes

    root = path.removeprefix("\\\\?\\")[:3]
    kind = ctypes.windll.kernel32.GetDriveTypeW(root)  # type: ignore[attr-defined,unused-ignore]
    return "network drive" if kind == _REMOTE_DRIVE else "local"


def _output_of(command: str) -> str:
    try:
        done = subprocess.run([command], capture_output=True, text=True, timeout=10, check=False, errors="replace")
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout


def refuse_remote(out: Path) -> None:
    """Raise LedgerError where two machines could write the same ledger without seeing each other's locks."""
    kind = file_system_of(out)
    if not is_local(kind):
        raise LedgerError(
            f"{out} is on a network drive or a shared file system ({kind}), where a ledger in a file is not safe.",
            code="network_drive",
            hint="Choose a folder on a local disk with --out, and copy the results afterwards; or keep the ledger "
            "in PostgreSQL: --ledger postgresql://…",
        )


def refuse_hard_link(ledger: Path) -> None:
    """Raise LedgerError where the ledger's file has a second name: another OUT would buy beside this one."""
    try:
        links = ledger.stat().st_nlink
    except OSError:
        return
    if links > 1:
        raise LedgerError(
            f"The ledger {ledger} has {links:,} names (hard links), so another folder may work with it too.",
            code="hard_link",
            hint="Keep one of them. A copy of a ledger would buy everything again: do not copy it either.",
        )
