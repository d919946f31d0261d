import io
import os
import tarfile
import tempfile
import threading
import unittest
from pathlib import Path

from ramet import ConflictError, NotFoundError, RametError, Sandbox, StorageFullError
from ramet._tar import unpack


class FileTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.sandbox = Sandbox(memory_mb=192)
        cls.addClassCleanup(cls.sandbox.close)

    def setUp(self):
        self.files = self.sandbox.files
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.local = Path(folder.name)

    def test_files_are_written_read_listed_moved_and_removed(self):
        self.files.write("d/a b&c.txt", "hallå", mode=0o755)
        self.files.write("d/bytes", b"\x00\xff")
        self.assertEqual("hallå", self.files.read_text("d/a b&c.txt"))
        self.assertEqual(b"\x00\xff", self.files.read("d/bytes"))
        self.assertEqual(["a b&c.txt", "bytes"], [one.name for one in self.files.list("d")])
        status = self.files.stat("d/a b&c.txt")
        self.assertEqual(("file", 6, 0o755, 0), (status.type, status.size, status.mode, status.uid))
        self.files.mkdir("d/x/y")
        self.files.move("d/bytes", "d/x/y/moved")
        self.assertTrue(self.files.exists("d/x/y/moved"))
        self.assertFalse(self.files.exists("d/bytes"))
        with self.assertRaises(ConflictError):
            self.files.remove("d")
        self.files.remove("d", recursive=True)
        with self.assertRaises(NotFoundError):
            self.files.read("d/a b&c.txt")

    def test_a_large_file_is_streamed_both_ways(self):
        size = 40 << 20
        source = self.local / "large"
        with open(source, "wb") as file:
            file.write(os.urandom(1 << 20))
            file.truncate(size)
        self.files.upload(source, "/tmp/large")
        self.assertEqual(str(size), self.sandbox.run("import os; os.path.getsize('/tmp/large')").value)
        self.files.download("/tmp/large", self.local / "back")
        self.assertEqual(source.read_bytes(), (self.local / "back").read_bytes())
        with self.files.open("/tmp/large") as stream:
            self.assertEqual(source.read_bytes()[:10], stream.read(10))
        self.files.remove("/tmp/large")

    def test_pieces_become_one_file(self):
        self.files.write("/tmp/pieces", (bytes([n]) * 1000 for n in range(100)))
        self.files.write("/tmp/empty", iter(()))
        self.files.write("/tmp/opened", io.BytesIO(b"opened"))
        self.assertEqual(b"".join(bytes([n]) * 1000 for n in range(100)), self.files.read("/tmp/pieces"))
        self.assertEqual((b"", b"opened"), (self.files.read("/tmp/empty"), self.files.read("/tmp/opened")))

    def test_a_directory_goes_up_and_comes_down(self):
        top = self.local / "up"
        (top / "sub" / "empty").mkdir(parents=True)
        (top / "sub" / "run.sh").write_text("echo ran")
        (top / "sub" / "run.sh").chmod(0o755)
        (top / ("n" * 150)).write_bytes(b"x" * 100_000)
        (top / "link").symlink_to("sub/run.sh")
        self.files.upload(top, "/srv/up")
        self.assertEqual("ran\n", self.sandbox.commands.run("test -x /srv/up/sub/run.sh && sh /srv/up/link").check().stdout)
        self.sandbox.commands.run("ln -s /etc/passwd /srv/up/outside; ln -s ../../.. /srv/up/sub/above; mkfifo /srv/up/pipe").check()
        self.files.download("/srv/up", self.local / "down")
        found = sorted(str(path.relative_to(self.local / "down")) for path in (self.local / "down").rglob("*"))
        # What leads out of the directory, and what is no file, has not come.
        self.assertEqual(["link", "n" * 150, "sub", "sub/empty", "sub/run.sh"], found)
        self.assertEqual("echo ran", (self.local / "down" / "link").read_text())
        self.assertTrue(os.access(self.local / "down" / "sub" / "run.sh", os.X_OK))

    def test_an_archive_cannot_write_outside_its_directory(self):
        (self.local / "outside").mkdir()
        for names in (["../x"], ["a/../../x"]):
            with self.assertRaises(RametError):
                unpack(io.BytesIO(_archive(names)), str(self.local / "inside"))
        # A link first, and then a file through it.
        with self.assertRaises((RametError, OSError)):
            (self.local / "inside" / "door").symlink_to("../outside")
            unpack(io.BytesIO(_archive(["door/x"])), str(self.local / "inside"))
        unpack(io.BytesIO(_archive(["/absolute"])), str(self.local / "inside"))
        # Links whose way out is not to be seen in their names.
        links = [("d/self", "."), ("d/out", "self/../.."), ("here", "."), ("here/out", "../x"), ("up", "d/.."), ("fine", "d/self")]
        unpack(io.BytesIO(_archive([], links)), str(self.local / "linked"))
        self.assertEqual(["d", "d/self", "fine", "here"], sorted(str(path.relative_to(self.local / "linked")) for path in (self.local / "linked").rglob("*") if "fine/" not in str(path)))
        self.assertEqual(["inside", "linked", "outside"], sorted(os.listdir(self.local)))
        self.assertEqual([], os.listdir(self.local / "outside"))
        self.assertTrue((self.local / "inside" / "absolute").exists())

    def test_more_than_fits_is_an_error_that_says_so(self):
        with self.assertRaises(StorageFullError) as caught:
            self.files.write("/tmp/huge", (bytes(1 << 20) for _ in range(400)))
        self.assertIn("memory_mb", caught.exception.detail)
        self.files.remove("/tmp/huge")
        self.assertEqual("2", self.sandbox.run("1 + 1").value)

    def test_changes_are_told_as_they_happen(self):
        self.files.mkdir("w/deep")
        seen = []
        with self.files.watch("w", recursive=True) as changes:
            self.files.write("w/deep/f", "x")
            self.files.remove("w/deep/f")
            timer = threading.Timer(60, changes.close)
            timer.start()
            for change in changes:
                seen.append((change.kind, change.path))
                if change.kind == "removed":
                    break
            timer.cancel()
        self.assertIn(("created", "w/deep/f"), seen)
        self.assertEqual(("removed", "w/deep/f"), seen[-1])
        with self.assertRaises(NotFoundError):
            self.files.watch("nowhere")


def _archive(names, links=()):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in names:
            entry = tarfile.TarInfo(name)
            entry.size = 1
            archive.addfile(entry, io.BytesIO(b"x"))
        for name, target in links:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            archive.addfile(entry)
    return buffer.getvalue()


if __name__ == "__main__":
    unittest.main()
