"""A ledger lies on a disk whose locks everybody shares: what is not known to be local is refused."""

import os
from pathlib import Path

import pytest
from till import SERVICE, Till

from batchgen.errors import LedgerError
from batchgen.ledger import Ledger
from batchgen.ledger.sqlite import file_systems
from batchgen.ledger.sqlite.file_systems import from_mount_command, from_proc_mounts, is_local

SHARED = [
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "9p", "davfs", "lustre", "gpfs", "beegfs", "ceph",
    "glusterfs", "fuse.glusterfs", "ocfs2", "gfs2", "orangefs", "virtiofs", "vboxsf", "prl_fs",
    "fuse.vmhgfs-fuse", "vmhgfs", "drvfs", "fuse.sshfs", "fuse.rclone", "fuse.s3fs", "fuse.gcsfuse",
    "fuse.goofys", "fuse.mountpoint-s3", "fuse.juicefs", "JuiceFS", "fuse.davfs", "fuse.davfs2",
    "fuse.gvfsd-fuse", "fuse.seaweedfs", "fuse.blobfuse", "fuse.moosefs", "fuse.ceph-fuse", "fuse.dropbox",
    "fuse.google-drive-ocamlfuse", "fuse.osxfs", "fuse.grpcfuse", "fuse.onedriver", "fuse.mfs", "fuse",
    "fuse.something-new", "unknown-to-us", "pvfs2", "webdav", "autofs",
]  # fmt: skip
LOCAL = [
    "ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "apfs", "ntfs3", "fuseblk", "fuse.ntfs-3g",
    "fuse.gocryptfs", "f2fs", "bcachefs", "vfat", "exfat",
]  # fmt: skip


@pytest.mark.parametrize("kind", SHARED)
def test_what_may_be_shared_between_machines_is_refused_before_anything_is_made(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_systems, "file_system_of", lambda path: kind)
    with pytest.raises(LedgerError, match="network drive") as told:
        Ledger.open(tmp_path, SERVICE)
    assert told.value.code == "network_drive"
    assert kind in told.value.message
    assert "--ledger" in told.value.hint
    assert "--out" in told.value.hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", LOCAL)
def test_disks_of_this_machine_are_fine(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_systems, "file_system_of", lambda path: kind)
    Till(tmp_path).ledger.close()


def test_the_file_system_is_that_of_the_innermost_and_latest_mount() -> None:
    mounts = (
        "/dev/root / ext4 rw 0 0\n"
        "host:/s /home/mia/my\\040share nfs4 rw 0 0\n"
        "/dev/sdb1 /data xfs rw 0 0\n"
        "bucket /data fuse.s3fs rw 0 0\n"
        "host:/t /tab\\011here nfs rw 0 0\n"
        "torn line\n\n"
    )
    for path, kind in (
        ("/home/mia/my share/x", "nfs4"),
        ("/home/mia/my shared/x", "ext4"),
        ("/data/outputs", "fuse.s3fs"),
        ("/tab\there/x", "nfs"),
        ("/", "ext4"),
    ):
        assert from_proc_mounts(path, mounts) == kind, path
    assert from_proc_mounts("/x", "") == ""


def test_what_macos_prints_tells_a_share_from_a_disk() -> None:
    output = (
        "/dev/disk3s1s1 on / (apfs, sealed, local, read-only, journaled)\n"
        "/dev/disk3s5 on /System/Volumes/Data (apfs, local, journaled, nobrowse)\n"
        "//mia@nas._smb._tcp.local/films on /Volumes/films (old) (smbfs, nodev, nosuid, mounted by mia)\n"
        "s3:bucket on /Volumes/bucket (macfuse, nodev, nosuid)\n"
    )
    for path, local in (
        ("/Users/mia/outputs", True),
        ("/System/Volumes/Data/x", True),
        ("/Volumes/films (old)/outputs", False),
        ("/Volumes/bucket/outputs", False),
    ):
        assert is_local(from_mount_command(path, output)) is local, path


def test_a_share_of_windows_is_known_by_its_name() -> None:
    assert not is_local(file_systems._on_windows("\\\\server\\share\\outputs"))
    assert not is_local(file_systems._on_windows("\\\\?\\UNC\\server\\share"))


def test_a_ledger_with_a_second_name_is_refused(tmp_path: Path) -> None:
    """A hard link of it in another OUT bought all waiting jobs a second time."""
    with Till(tmp_path / "a") as till:
        till.take_in("one")
    (tmp_path / "b").mkdir()
    os.link(tmp_path / "a" / "ledger.sqlite3", tmp_path / "b" / "ledger.sqlite3")
    for out in ("a", "b"):
        with pytest.raises(LedgerError, match="hard links") as told:
            Ledger.open(tmp_path / out, SERVICE)
        assert told.value.code == "hard_link"
    (tmp_path / "b" / "ledger.sqlite3").unlink()
    Ledger.open(tmp_path / "a", SERVICE).close()
