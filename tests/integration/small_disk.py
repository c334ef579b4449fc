"""Disks of the test's own that can be filled: tmpfs in a mount namespace that ends with the test."""

import ctypes
import os
import pathlib

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
MS_RDONLY = 1
MS_REMOUNT = 32
MS_REC = 0x4000
MS_PRIVATE = 0x40000


class NotAllowed(Exception):
    """Why there can be no disk here, for people."""


def call(libc, name, *arguments):
    if getattr(libc, name)(*arguments) != 0:
        error = ctypes.get_errno()
        raise NotAllowed(f"{name}: {os.strerror(error)}")


def enter_namespace():
    """Gives this process, which must have one thread still, mounts of its own."""
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() == 0:
        call(libc, "unshare", CLONE_NEWNS)
    else:
        user, group = os.geteuid(), os.getegid()
        call(libc, "unshare", CLONE_NEWNS | CLONE_NEWUSER)
        try:
            pathlib.Path("/proc/self/setgroups").write_text("deny")
            pathlib.Path("/proc/self/uid_map").write_text(f"0 {user} 1")
            pathlib.Path("/proc/self/gid_map").write_text(f"0 {group} 1")
        except OSError as error:
            raise NotAllowed(f"user namespace: {error.strerror}") from None
    call(libc, "mount", b"none", b"/", None, MS_REC | MS_PRIVATE, None)


class SmallDisk:
    """A tmpfs of `size` bytes on `folder`. Only after enter_namespace()."""

    def __init__(self, folder, size):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        libc = ctypes.CDLL(None, use_errno=True)
        call(libc, "mount", b"tmpfs", os.fsencode(self.folder), b"tmpfs", 0, b"size=%d" % size)
        self.filler = self.folder / "filler"
        self.free_again()

    def free(self):
        status = os.statvfs(self.folder)
        return status.f_bavail * status.f_frsize

    def fill(self, leave=0):
        """Takes everything but `leave` bytes."""
        with open(self.filler, "ab") as file:
            # Others write meanwhile: what is left shrinks while it is taken.
            for _ in range(100):
                want = self.free() - leave
                if want <= 0:
                    return
                try:
                    os.posix_fallocate(file.fileno(), file.tell(), want)
                except OSError:
                    continue
                file.seek(0, os.SEEK_END)

    def free_again(self):
        self.filler.unlink(missing_ok=True)

    def forbid_writing(self):
        """It is read-only from now on."""
        call(ctypes.CDLL(None, use_errno=True), "mount", b"tmpfs", os.fsencode(self.folder), b"tmpfs", MS_REMOUNT | MS_RDONLY,
             None)

    def unmount(self):
        ctypes.CDLL(None).umount2(os.fsencode(self.folder), 2)
