"""Archives good and bad: the wanted files arrive whole, and of a hostile or damaged archive nothing stays on disk."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from zlib import crc32

import pytest
import rarfile
from hypothesis import given
from hypothesis import strategies as st

from lesionctl.errors import BadFile, LesionctlError, MissingExtra
from lesionctl.fetch.archive import extract as archive_module
from lesionctl.fetch.archive.extract import unpack
from lesionctl.progress import Silent

SYMBOLIC_LINK, NAMED_PIPE = 0o120777, 0o010644
PICTURE, MASK = bytes(range(256)) * 20, b"mask" * 300
PH2 = {
    "PH2Dataset/PH2 Dataset images/IMD002/IMD002_Dermoscopic_Image/IMD002.bmp": PICTURE,
    "PH2Dataset/PH2 Dataset images/IMD002/IMD002_lesion/IMD002_lesion.bmp": MASK,
    "PH2Dataset/PH2_dataset.txt": b"IMD002 || 0",
}
ISIC = {
    "ISIC_Data/": b"",
    "ISIC_Data/ISIC_0000000.jpg": PICTURE,
    "ISIC_Data/ISIC_0000000_superpixels.png": b"superpixels",
    "__MACOSX/ISIC_Data/._ISIC_0000000.jpg": b"resource fork",
    "ISIC_Data/ISIC_0000001.jpg": MASK,
}


def make_zip(path, files, method=zipfile.ZIP_DEFLATED):
    """A zip of names (taken as they are) and contents; a mode may stand beside a content."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files.items():
            content, mode = content if isinstance(content, tuple) else (content, 0o100644)
            info = zipfile.ZipInfo("x")
            info.filename = name
            info.external_attr = mode << 16
            info.compress_type = method
            archive.writestr(info, content)
    return path


def make_tar(path, files, mode="w"):
    """A tar of names and contents; a `TarInfo` in place of a content stands as it is, without any bytes behind it."""
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            info = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.name = name
            if info is content:
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return path


def tar_entry(kind, linkname="", size=0):
    info = tarfile.TarInfo()
    info.type, info.linkname, info.size = kind, linkname, size
    return info


def patch(path, old, new, times=1):
    """Replace bytes in a file, all of which must be there as often as told."""
    content = path.read_bytes()
    assert content.count(old) == times
    path.write_bytes(content.replace(old, new))
    return path


def patch_sizes(path, true, claimed):
    """Let a zip of one member claim another unpacked size, in both of its headers."""
    field = struct.pack("<L", true)
    content = bytearray(path.read_bytes())
    for head, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = content.index(head) + offset
        assert content[at : at + 4] == field
        content[at : at + 4] = struct.pack("<L", claimed)
    path.write_bytes(content)
    return path


def make_overlapping_zip(path, content):
    """Two members, the second within the stored bytes of the first, with right names and checksums in every header."""
    inner = make_zip(path.with_suffix(".inner"), {"b.jpg": content}, zipfile.ZIP_STORED).read_bytes()
    inner = inner[: inner.index(b"PK\x01\x02")]
    make_zip(path, {"a.jpg": inner, "b.jpg": content}, zipfile.ZIP_STORED)
    whole = bytearray(path.read_bytes())
    at = whole.rindex(b"PK\x01\x02") + 42
    whole[at : at + 4] = struct.pack("<L", 30 + len("a.jpg"))
    path.write_bytes(whole)
    path.with_suffix(".inner").unlink()
    return path


def make_rar4(path, files, *, method=0x30, flags=0, mode=None, version=29, end_flags=0x4000):
    """A RAR of the format of RAR 2.9 to 4 with stored members, as written on Windows, or on Unix where a mode is given.

    The layout is that of the format's published technical note: a block is a 16-bit checksum, its type, flags, size.
    """

    def block(kind, bits, body):
        head = struct.pack("<BHH", kind, bits, 7 + len(body)) + body
        return struct.pack("<H", crc32(head) & 0xFFFF) + head

    system, attributes = (2, 0x20) if mode is None else (3, mode)
    parts = [b"Rar!\x1a\x07\x00", block(0x73, 0, bytes(6))]
    for name, content in files.items():
        raw = name.encode()
        fields = (len(content), len(content), system, crc32(content), 0, version, method, len(raw), attributes)
        parts += [block(0x74, 0x8000 | flags, struct.pack("<LLBLLBBHL", *fields) + raw), content]
    path.write_bytes(b"".join([*parts, b"" if end_flags is None else block(0x7B, end_flags, b"")]))
    return path


def make_rar5(path, files, *, extra=b"", claimed=None):
    """A RAR of the format of RAR 5 with stored members, whose headers hold a record `extra` and a size `claimed`."""

    def number(value):
        digits = [value & 0x7F]
        while value := value >> 7:
            digits[-1] |= 0x80
            digits.append(value & 0x7F)
        return bytes(digits)

    def block(kind, bits, *fields, tail=b"", extra_size=b""):
        body = number(kind) + number(bits) + extra_size + b"".join(fields) + tail
        body = number(len(body)) + body
        return struct.pack("<L", crc32(body)) + body

    parts = [b"Rar!\x1a\x07\x01\x00", block(1, 0, number(0))]
    for name, content in files.items():
        raw = name.encode()
        record = number(len(extra)) + extra if extra else b""
        fields = (
            *(number(len(content)), number(4), number(claimed or len(content)), number(0o100644)),
            *(struct.pack("<L", crc32(content)), number(0), number(1), number(len(raw)), raw),
        )
        bits, size = (3, number(len(record))) if extra else (2, b"")
        parts += [block(2, bits, *fields, tail=record, extra_size=size), content]
    path.write_bytes(b"".join([*parts, block(5, 0, number(0))]))
    return path


def everything(name):
    return name


def nothing(name):
    return None


def by_stem(name):
    """As a set would be placed: pictures and masks into one folder, whatever else there is passed over."""
    path = PurePosixPath(name)
    wanted = path.suffix in (".jpg", ".bmp") and path.parts[0] != "__MACOSX"
    return f"images/{path.name}" if wanted else None


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class Heard(Silent):
    """A listener that keeps the tasks and counts the bytes."""

    def __init__(self):
        self.tasks, self.bytes = [], 0

    @contextmanager
    def task(self, description, total=None, *, unit="steps", done=0):
        self.tasks.append((description, total, unit))
        yield self

    def advance(self, steps=1):
        self.bytes += steps


@pytest.fixture
def into(tmp_path):
    return tmp_path / "made" / "into"


@pytest.fixture
def refused(tmp_path, into):
    """A function that unpacks in vain: the error names the archive, matches, and nothing has come to the disk."""

    def refuse(archive, *parts, place=everything, kind=BadFile):
        before = set(tmp_path.rglob("*"))
        with pytest.raises(kind) as caught:
            unpack(archive, into, place)
        assert set(tmp_path.rglob("*")) == before
        assert str(archive) in str(caught.value)
        for part in parts:
            assert part in str(caught.value).replace(str(tmp_path), "")
        return caught.value

    return refuse


# What is unpacked


def test_zip_of_a_challenge_gives_its_pictures_and_neither_superpixels_nor_resource_forks(tmp_path, into):
    written = unpack(make_zip(tmp_path / "a.zip", ISIC), into, by_stem)
    assert written == [into / "images/ISIC_0000000.jpg", into / "images/ISIC_0000001.jpg"]
    assert contents(into) == {"images/ISIC_0000000.jpg": PICTURE, "images/ISIC_0000001.jpg": MASK}


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_tar_is_known_by_its_content_whatever_its_compression_format_and_name(tmp_path, into, mode, form, monkeypatch):
    monkeypatch.setattr(tarfile.TarFile, "format", form)
    files = {"./nested/" + "deep/" * 25 + "a.jpg": PICTURE, "b.jpg": MASK}
    written = unpack(make_tar(tmp_path / "archive.dat", files, mode), into, everything)
    assert [path.relative_to(into).as_posix() for path in written] == ["nested/" + "deep/" * 25 + "a.jpg", "b.jpg"]
    assert list(contents(into).values()) in ([PICTURE, MASK], [MASK, PICTURE])


def test_tar_of_the_time_before_posix(tmp_path, into):
    archive = make_tar(tmp_path / "a.tar", {"a.jpg": PICTURE})
    header = bytearray(archive.read_bytes())
    header[257:265] = bytes(8)
    header[148:156] = b" " * 8
    header[148:155] = b"%06o\0" % sum(header[:512])
    archive.write_bytes(header)
    unpack(archive, into, everything)
    assert contents(into) == {"a.jpg": PICTURE}


def test_rar_of_ph2_as_windows_wrote_it(tmp_path, into):
    files = {name.replace("/", "\\"): content for name, content in PH2.items()}
    unpack(make_rar4(tmp_path / "PH2Dataset.rar", files), into, by_stem)
    assert contents(into) == {"images/IMD002.bmp": PICTURE, "images/IMD002_lesion.bmp": MASK}


def test_rar_of_today(tmp_path, into):
    unpack(make_rar5(tmp_path / "PH2Dataset.rar", PH2), into, by_stem)
    assert contents(into) == {"images/IMD002.bmp": PICTURE, "images/IMD002_lesion.bmp": MASK}


def test_folder_is_copied(tmp_path, into):
    for name, content in PH2.items():
        path = tmp_path / "folder" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    written = unpack(tmp_path / "folder", into, by_stem)
    assert written == [into / "images/IMD002.bmp", into / "images/IMD002_lesion.bmp"]
    assert contents(into) == {"images/IMD002.bmp": PICTURE, "images/IMD002_lesion.bmp": MASK}
    assert contents(tmp_path / "folder") == PH2


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_names_in_any_script_and_empty_files(tmp_path, into, make):
    files = {"läsion/Ñandú 病变.jpg": PICTURE, "пустой.txt": b"", "‏צ.jpg": MASK}
    unpack(make(tmp_path / "a", files), into, everything)
    assert contents(into) == files


def test_place_sees_plain_names_of_files_in_the_order_of_the_archive(tmp_path, into):
    seen = []
    archive = make_tar(
        tmp_path / "a.tar", {"./z.jpg": b"1", "folder": tar_entry(tarfile.DIRTYPE), "folder//a.jpg": b"2"}
    )
    assert unpack(archive, into, seen.append) == []
    assert seen == ["z.jpg", "folder/a.jpg"]
    assert not into.exists()


def test_progress_hears_of_the_bytes_of_the_wanted_files(tmp_path, into):
    heard = Heard()
    unpack(make_zip(tmp_path / "a.zip", ISIC), into, by_stem, heard)
    assert heard.tasks == [("unpacking a.zip", len(PICTURE) + len(MASK), "bytes")]
    assert heard.bytes == len(PICTURE) + len(MASK)


def test_progress_hears_of_the_reading_of_a_tar_which_has_no_list(tmp_path, into):
    heard = Heard()
    archive = make_tar(tmp_path / "a.tar.gz", {"a.jpg": PICTURE}, "w:gz")
    size = archive.stat().st_size
    unpack(archive, into, everything, heard)
    assert heard.tasks == [
        ("reading the list of a.tar.gz", size, "bytes"),
        ("unpacking a.tar.gz", len(PICTURE), "bytes"),
    ]
    assert heard.bytes == size + len(PICTURE)


def test_files_of_before_are_replaced_and_others_stay(tmp_path, into):
    into.mkdir(parents=True)
    (into / "a.jpg").write_bytes(b"old")
    (into / "mine.txt").write_bytes(b"mine")
    unpack(make_zip(tmp_path / "a.zip", {"a.jpg": PICTURE}), into, everything)
    assert contents(into) == {"a.jpg": PICTURE, "mine.txt": b"mine"}


def test_files_get_the_permissions_that_new_files_have(tmp_path, into):
    unpack(make_zip(tmp_path / "a.zip", {"a.jpg": (PICTURE, 0o100777)}), into, everything)
    (tmp_path / "new").touch()
    assert (into / "a.jpg").stat().st_mode == (tmp_path / "new").stat().st_mode


# Names that lead elsewhere

HOSTILE_NAMES = {
    "../evil.jpg": "leads outside",
    "images/../../evil.jpg": "leads outside",
    "images/..": "leads outside",
    "{tmp_path}/evil.jpg": "absolute",
    "//server/share/evil.jpg": "absolute",
    "C:/evil.jpg": "absolute",
    "c:evil.jpg": "absolute",
    "images\\evil.jpg": "backslash",
    "..\\evil.jpg": "backslash",
    "\\\\server\\share\\evil.jpg": "backslash",
}


@pytest.mark.parametrize(("name", "reason"), HOSTILE_NAMES.items())
@pytest.mark.parametrize("make", [make_zip, make_tar, make_rar5])
@pytest.mark.parametrize(
    "place", [everything, lambda name: None if "evil" in name else name], ids=["wanted", "skipped"]
)
def test_name_that_leads_elsewhere_is_refused_wanted_or_not(tmp_path, refused, make, name, reason, place):
    archive = make(tmp_path / "a", {"good.jpg": PICTURE, name.format(tmp_path=tmp_path): MASK})
    assert "publisher" in refused(archive, name.format(tmp_path=""), reason, place=place).hint


@pytest.mark.parametrize("name", ["../evil.jpg", "..\\evil.jpg", "images/../../evil.jpg"])
def test_rar_of_four_that_climbs_is_refused(tmp_path, refused, name):
    refused(make_rar4(tmp_path / "a.rar", {"good.jpg": PICTURE, name: MASK}), name.replace("\\", "/"), "leads outside")


def test_nul_in_a_name_is_refused(tmp_path, refused):
    archive = make_zip(tmp_path / "a.zip", {"good.jpg": PICTURE, "evil.jpg?.txt": MASK})
    refused(patch(archive, b"evil.jpg?", b"evil.jpg\0", times=2), "'evil.jpg\\x00.txt' has a NUL")


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_empty_name_is_refused(tmp_path, refused, make):
    refused(make(tmp_path / "a", {"good.jpg": PICTURE, "": MASK}), "has an empty name")


def test_backslash_in_a_folder_is_refused(tmp_path, refused):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "..\\evil.jpg").touch()
    refused(tmp_path / "folder", "backslash")


@pytest.mark.parametrize(
    ("target", "reason"),
    [("../a.jpg", "leads outside"), ("/a.jpg", "absolute"), ("a\\b.jpg", "backslash"), (".", "no name"), ("", "empty")],
)
def test_place_outside_the_folder_is_refused(tmp_path, refused, target, reason):
    refused(make_zip(tmp_path / "a.zip", {"good.jpg": PICTURE}), "'good.jpg'", reason, place=lambda _: target)


def test_names_cannot_steer_the_terminal(tmp_path, refused):
    archive = make_zip(tmp_path / "a.zip", {"../\x1b[2Jevil.jpg": MASK})
    assert "\x1b" not in str(refused(archive, "'../\\x1b[2Jevil.jpg'"))


NAME_PARTS = st.lists(
    st.sampled_from(["..", ".", "", "a", "b.jpg", "C:", "~", "\\", "\\\\", "nul", " ", "..."])
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    max_size=5,
)
NAMES = NAME_PARTS.map("/".join)


@given(
    files=st.dictionaries(NAMES, st.binary(max_size=20), max_size=4), targets=st.none() | st.dictionaries(NAMES, NAMES)
)
@pytest.mark.parametrize("make", [make_zip, make_tar, make_rar5])
def test_whatever_the_names_nothing_is_written_outside(make, files, targets):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        archive = make(folder / "archive", files)
        into = folder / "deep" / "er" / "into"
        try:
            written = unpack(
                archive, into, everything if targets is None else lambda member: targets.get(member, member)
            )
        except LesionctlError:
            assert set(folder.iterdir()) == {archive}
        else:
            assert {path for path in folder.rglob("*") if path.is_file()} == {archive, *written}
            assert all(path.resolve().is_relative_to(into.resolve()) for path in written)


# Members that are no plain files


@pytest.mark.parametrize("wanted", [True, False])
@pytest.mark.parametrize(("mode", "reason"), [(SYMBOLIC_LINK, "symbolic link"), (NAMED_PIPE, "device or a pipe")])
@pytest.mark.parametrize("rar", [True, False])
def test_link_or_pipe_in_a_zip_or_rar_is_refused(tmp_path, refused, mode, reason, wanted, rar):
    if rar:
        archive = make_rar4(tmp_path / "a.rar", {"evil.jpg": b"/etc/passwd"}, mode=mode)
    else:
        archive = make_zip(tmp_path / "a.zip", {"good.jpg": PICTURE, "evil.jpg": (b"/etc/passwd", mode)})
    place = everything if wanted else nothing
    assert "by hand" in refused(archive, "'evil.jpg'", reason, place=place).hint


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (tarfile.SYMTYPE, "symbolic link to '/etc/passwd'"),
        (tarfile.LNKTYPE, "hard link to '/etc/passwd'"),
        (tarfile.CHRTYPE, "device"),
        (tarfile.BLKTYPE, "device"),
        (tarfile.FIFOTYPE, "pipe"),
        (b"Z", "unknown kind"),
    ],
)
@pytest.mark.parametrize("wanted", [True, False])
def test_link_or_device_in_a_tar_is_refused(tmp_path, refused, kind, reason, wanted):
    archive = make_tar(tmp_path / "a.tar", {"good.jpg": PICTURE, "evil": tar_entry(kind, "/etc/passwd")})
    refused(archive, "'evil'", reason, place=everything if wanted else nothing)


def test_sparse_file_in_a_tar_is_refused(tmp_path, refused):
    info = tarfile.TarInfo()
    info.pax_headers = {"GNU.sparse.map": "0,10", "GNU.sparse.size": "100000"}
    refused(make_tar(tmp_path / "a.tar", {"evil.jpg": info}), "'evil.jpg'", "sparse")


def test_link_in_a_rar_of_today_is_refused(tmp_path, refused):
    record = bytes([5, 1, 0, 11]) + b"/etc/passwd"  # a redirection: symbolic link, of a file, name of 11 bytes
    refused(make_rar5(tmp_path / "a.rar", {"evil.jpg": b""}, extra=record), "'evil.jpg'", "link to '/etc/passwd'")


@pytest.mark.parametrize("to_folder", [True, False])
def test_link_in_a_folder_is_refused(tmp_path, refused, to_folder):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key.jpg").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "good.jpg").touch()
    (tmp_path / "folder" / "evil.jpg").symlink_to(tmp_path / "secret" / ("" if to_folder else "key.jpg"))
    refused(tmp_path / "folder", "'evil.jpg'", "symbolic link", place=nothing)


def test_pipe_in_a_folder_is_refused_instead_of_waited_for(tmp_path, refused):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "folder" / "pipe.jpg")
    refused(tmp_path / "folder", "'pipe.jpg'", "pipe")


def test_encrypted_zip_is_refused(tmp_path, refused):
    archive = make_zip(tmp_path / "a.zip", {"good.jpg": PICTURE})
    content = bytearray(archive.read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(content)
    assert "by hand" in refused(archive, "'good.jpg'", "encrypted").hint


def test_encrypted_rar_is_refused(tmp_path, refused):
    refused(make_rar4(tmp_path / "a.rar", PH2, flags=0x04), "encrypted")


@pytest.mark.parametrize(("method", "number"), [(zipfile.ZIP_BZIP2, "12"), (zipfile.ZIP_LZMA, "14")])
def test_rare_compression_of_a_zip_is_refused_before_anything_is_written(tmp_path, refused, method, number):
    archive = make_zip(tmp_path / "a.zip", {"good.jpg": PICTURE}, method)
    assert "by hand" in refused(archive, "'good.jpg'", f"method {number}").hint


# More than an archive of pictures holds


def test_bomb_is_refused(tmp_path, refused, monkeypatch):
    monkeypatch.setattr(archive_module, "SMALL", 10**6)
    archive = make_zip(tmp_path / "a.zip", {f"{i}.png": bytes(10**6) for i in range(3)})
    assert 200 * archive.stat().st_size < 3 * 10**6
    assert "by hand" in refused(archive, "would unpack to 1.9 MB or more, at its member '1.png'").hint


def test_bomb_of_a_size_that_any_archive_may_unpack_to_is_none(tmp_path, into):
    unpack(make_zip(tmp_path / "a.zip", {"a.png": bytes(10**6)}), into, everything)
    assert (into / "a.png").stat().st_size == 10**6


def test_bomb_in_a_compressed_tar_is_refused_by_its_header(tmp_path, refused):
    info = tar_entry(tarfile.REGTYPE, size=10**12)
    info.name = "evil.png"
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(info.tobuf(tarfile.GNU_FORMAT)))
    refused(tmp_path / "a.tar.gz", "would unpack to 931 GB or more, at its member 'evil.png'")


def test_rar_that_claims_terabytes_is_refused(tmp_path, refused):
    archive = make_rar5(tmp_path / "a.rar", {"evil.png": PICTURE}, claimed=10**13)
    refused(archive, "'evil.png'", "would unpack to 9.1 TB")


def test_absolute_bound_holds_where_the_ratio_would_allow_more(tmp_path, refused, monkeypatch):
    monkeypatch.setattr(archive_module, "MAX_UNPACKED", 6000)
    refused(make_zip(tmp_path / "a.zip", {"a.jpg": PICTURE, "b.jpg": MASK}), "'b.jpg'", "more than")


def test_too_many_members_are_refused(tmp_path, refused, monkeypatch):
    monkeypatch.setattr(archive_module, "MAX_MEMBERS", 2)
    refused(make_zip(tmp_path / "a.zip", dict.fromkeys(["a", "b", "c"], b"")), "more than 2 files")


def test_member_that_holds_more_than_it_claims_is_refused(tmp_path, refused):
    archive = make_zip(tmp_path / "a.zip", {"evil.png": bytes(5_000_000)})
    refused(patch_sizes(archive, 5_000_000, 10), "'evil.png'")


def test_of_a_member_with_the_checksum_of_its_beginning_no_more_than_it_claims_is_written(tmp_path, into):
    archive = make_zip(tmp_path / "a.zip", {"evil.png": bytes(5_000_000)})
    patch_sizes(archive, 5_000_000, 10)
    patch(archive, struct.pack("<L", crc32(bytes(5_000_000))), struct.pack("<L", crc32(bytes(10))), times=2)
    unpack(archive, into, everything)
    assert contents(into) == {"evil.png": bytes(10)}


def test_member_that_holds_less_than_it_claims_is_refused(tmp_path, refused):
    archive = make_zip(tmp_path / "a.zip", {"good.jpg": b"good", "a.jpg": PICTURE}, zipfile.ZIP_DEFLATED)
    content = archive.read_bytes()
    old, new = struct.pack("<L", len(PICTURE)), struct.pack("<L", len(PICTURE) + 7)
    archive.write_bytes(content.replace(old, new))
    refused(archive, "'a.jpg' ends 7 bytes before its list says")


def test_file_that_grows_while_it_is_copied_is_refused(tmp_path, into):
    path = tmp_path / "folder" / "a.jpg"
    path.parent.mkdir()
    path.write_bytes(PICTURE)
    heard = Heard()
    with pytest.raises(BadFile, match=r"'a\.jpg' holds more bytes than its list says"):
        unpack(path.parent, into, lambda name: path.write_bytes(PICTURE + MASK) and name, heard)
    assert heard.bytes == 0
    assert not into.exists()


def test_overlapping_members_are_refused(tmp_path, refused):
    refused(make_overlapping_zip(tmp_path / "a.zip", PICTURE), "'a.jpg' overlaps with 'b.jpg'")


def test_two_entries_for_the_same_bytes_are_refused(tmp_path, refused):
    archive = make_zip(tmp_path / "a.zip", {"a.jpg": PICTURE, "b.jpg": PICTURE})
    content = bytearray(archive.read_bytes())
    at = content.rindex(b"PK\x01\x02") + 42
    content[at : at + 4] = bytes(4)
    archive.write_bytes(content)
    refused(archive, "'a.jpg' overlaps with 'b.jpg'")


def test_member_that_reaches_into_the_list_is_refused(tmp_path, refused):
    archive = make_zip(tmp_path / "a.zip", {"a.jpg": PICTURE}, zipfile.ZIP_STORED)
    content = bytearray(archive.read_bytes())
    at = content.index(b"PK\x01\x02") + 20
    content[at : at + 8] = struct.pack("<LL", len(PICTURE) + 50, len(PICTURE) + 50)
    archive.write_bytes(content)
    refused(archive, "'a.jpg' overlaps with 'the list of members'")


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_tar_header_of_gigabytes_is_refused_instead_of_read(tmp_path, refused, kind):
    header = tar_entry(kind, size=10**9)
    refused(make_tar(tmp_path / "a.tar", {"evil": header}), "a header of 1,000,000,000 bytes")


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_tar_member_of_negative_size_is_refused_instead_of_read_for_ever(tmp_path, refused, kind):
    header = tar_entry(kind, size=-1024).tobuf(tarfile.GNU_FORMAT)
    (tmp_path / "a.tar").write_bytes(header + bytes(10240 - len(header)))
    refused(tmp_path / "a.tar", "negative size")


def test_tar_member_of_negative_size_by_an_extended_header_is_refused(tmp_path, refused):
    info = tarfile.TarInfo()
    info.pax_headers = {"size": "-1024"}
    refused(make_tar(tmp_path / "a.tar", {"evil.jpg": info}), "negative size")


# Names that collide


def test_two_members_for_one_file_are_refused(tmp_path, refused):
    refused(
        make_zip(tmp_path / "a.zip", {"x/a.jpg": PICTURE, "y/a.jpg": MASK}), "'x/a.jpg' and 'y/a.jpg'", place=by_stem
    )


def test_the_same_name_twice_is_refused(tmp_path, refused):
    archive = make_zip(tmp_path / "a.zip", {"a.jpg": PICTURE, "b.jpg": MASK})
    refused(patch(archive, b"b.jpg", b"a.jpg", times=2), "'a.jpg' and 'a.jpg' would both")


def test_member_that_is_a_file_and_a_folder_is_refused(tmp_path, refused):
    refused(make_zip(tmp_path / "a.zip", {"a/b/c.jpg": PICTURE, "a": MASK}), "'a' would be a file", "'a/b/c.jpg'")


def test_archive_is_not_replaced_by_its_own_member(tmp_path):
    archive = make_zip(tmp_path / "a.zip", {"a.zip": PICTURE})
    before = archive.read_bytes()
    with pytest.raises(LesionctlError, match=r"would replace .*a\.zip"):
        unpack(archive, tmp_path, everything)
    assert archive.read_bytes() == before


def test_folder_is_not_copied_over_itself(tmp_path):
    (tmp_path / "a.jpg").write_bytes(PICTURE)
    with pytest.raises(LesionctlError, match=r"would replace .*a\.jpg"):
        unpack(tmp_path, tmp_path / "sub" / "..", everything)
    assert contents(tmp_path) == {"a.jpg": PICTURE}


# Damage


@pytest.mark.parametrize("kept", [0.01, 0.3, 0.9, 0.999])
@pytest.mark.parametrize("mode", ["zip", "w", "w:gz", "w:bz2", "w:xz", "rar4", "rar5"])
def test_archive_that_is_cut_short_is_refused(tmp_path, refused, mode, kept):
    files = {f"{i}.jpg": os.urandom(20_000) for i in range(3)}
    make = {"zip": make_zip, "rar4": make_rar4, "rar5": make_rar5}.get(mode)
    archive = make(tmp_path / "a", files) if make else make_tar(tmp_path / "a", files, mode)
    content = archive.read_bytes()
    if mode == "w":  # without the zeros behind it
        content = content[: 3 * (512 + 20_480)]
    archive.write_bytes(content[: int(len(content) * kept)])
    assert "download it again" in refused(archive).hint


def test_tar_that_ends_between_two_members_is_refused(tmp_path, refused):
    archive = make_tar(tmp_path / "a.tar", {"a.jpg": bytes(512), "b.jpg": bytes(512)})
    archive.write_bytes(archive.read_bytes()[:1024])
    refused(archive, "its list of members cannot be read")


def test_tar_with_a_damaged_header_is_refused_instead_of_ending_there(tmp_path, refused):
    archive = make_tar(tmp_path / "a.tar", {"a.jpg": bytes(512), "b.jpg": bytes(512)})
    content = archive.read_bytes()
    for name in (b"a.jpg", b"b.jpg"):
        archive.write_bytes(content.replace(name, b"c.jpg"))
        refused(archive, "its list of members cannot be read (bad checksum)")


def test_tar_behind_a_tar_is_refused_instead_of_passed_over(tmp_path, refused):
    archive = make_tar(tmp_path / "a.tar", {"a.jpg": PICTURE})
    more = make_tar(tmp_path / "b.tar", {"b.jpg": os.urandom(1 << 20)}).read_bytes()
    archive.write_bytes(archive.read_bytes() + more)
    refused(archive, "goes on after the mark at its end")


@pytest.mark.parametrize("make", [make_zip, make_rar4, make_rar5])
def test_wrong_checksum_is_refused_and_the_members_before_it_are_removed(tmp_path, refused, make):
    arguments = (zipfile.ZIP_STORED,) if make is make_zip else ()
    archive = make(tmp_path / "a", {"good.jpg": PICTURE, "bad.jpg": MASK}, *arguments)
    assert "download it again" in refused(patch(archive, MASK, b"MASK" + MASK[4:]), "'bad.jpg'", "CRC").hint


def test_wrong_checksum_of_a_compressed_tar_is_refused(tmp_path, refused):
    archive = make_tar(tmp_path / "a.tar.gz", {"a.jpg": PICTURE}, "w:gz")
    content = bytearray(archive.read_bytes())
    content[-6] ^= 1
    archive.write_bytes(content)
    refused(archive, "CRC check failed")


def test_damaged_list_of_a_zip_is_refused(tmp_path, refused):
    archive = make_zip(tmp_path / "a.zip", {"a.jpg": PICTURE})
    refused(patch(archive, b"PK\x01\x02", b"PK\x01\x03"), "its list of members cannot be read")


def test_zip_without_the_list_at_its_end_is_told_to_be_so(tmp_path, refused):
    archive = make_zip(tmp_path / "a.zip", {"a.jpg": PICTURE})
    archive.write_bytes(archive.read_bytes()[:-1])
    refused(archive, "is a zip archive without the list that stands at its end")


def test_rar_without_the_mark_at_its_end_is_refused_if_its_version_writes_one(tmp_path, into, refused):
    refused(make_rar4(tmp_path / "a.rar", PH2, end_flags=None), "lacks the mark at the end")
    unpack(make_rar4(tmp_path / "old.rar", PH2, version=20, end_flags=None), into, everything)
    assert contents(into) == PH2


def test_rar_that_goes_on_in_a_missing_volume_is_refused(tmp_path, refused):
    refused(make_rar4(tmp_path / "a.rar", PH2, end_flags=0x4001), "Cannot open next volume")


def test_later_volume_of_a_rar_is_told_from_damage(tmp_path, refused):
    assert "first" in refused(make_rar4(tmp_path / "a.rar", PH2, flags=0x01), "later volume").hint


@pytest.mark.parametrize(
    ("content", "reason", "hint"),
    [
        (b"\n<!DOCTYPE html>\n<html>Please log in", "is no archive: it begins with <!DOCTYPE html>", "web page"),
        (
            b'\xef\xbb\xbf<?xml version="1.0"?><Error>',
            'is no archive: it begins with <?xml version="1.0"?><Error>',
            "web",
        ),
        (
            b"\xff\xd8\xff\xe0\x00\x10JFIF",
            "is no archive: it begins with the bytes ff d8 ff e0 00 10 4a 46",
            "zip, tar or RAR",
        ),
        (bytes(10240), "is no archive: it begins with the bytes 00 00", "zip, tar or RAR"),
        (b"", "is no archive: it is empty", "zip, tar or RAR"),
        (
            gzip.compress(b"image_id,lesion_id"),
            "holds no tar archive: it begins with image_id,lesion_id",
            "zip, tar or RAR",
        ),
        (bz2.compress(b""), "holds no tar archive: it is empty", "zip, tar or RAR"),
        (lzma.compress(b"x")[:-5], "cannot be read (Compressed file ended", None),
    ],
    ids=["page", "error", "JPEG", "zeros", "nothing", "gzip of a table", "bzip2 of nothing", "cut-off xz"],
)
def test_what_is_no_archive_is_named_for_what_it_is(tmp_path, refused, content, reason, hint):
    (tmp_path / "a.zip").write_bytes(content)
    error = refused(tmp_path / "a.zip", reason)
    assert hint is None or hint in error.hint


def test_missing_archive_is_named(tmp_path, refused):
    refused(tmp_path / "a.zip", "cannot be read (No such file or directory)")


@pytest.mark.parametrize("make", [make_zip, make_rar4, make_rar5])
def test_archive_without_members_is_refused(tmp_path, refused, make):
    refused(make(tmp_path / "a", {}), "holds no files")


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_archive_of_folders_alone_is_refused(tmp_path, refused, make):
    content = b"" if make is make_zip else tar_entry(tarfile.DIRTYPE)
    refused(make(tmp_path / "a", {"folder/": content}), "holds no files")


def test_empty_folder_is_refused(tmp_path, refused):
    (tmp_path / "folder").mkdir()
    refused(tmp_path / "folder", "holds no files")


SAMPLES = {"a/b.jpg": PICTURE[:600], "c.jpg": MASK[:600]}


@given(data=st.data())
@pytest.mark.parametrize("make", [make_zip, make_tar, make_rar4, make_rar5])
def test_whatever_bytes_are_wrong_it_is_said_what_and_nothing_stays(make, data):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        archive = make(folder / "archive", SAMPLES)
        content = bytearray(archive.read_bytes())
        for _ in range(data.draw(st.integers(1, 4))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        archive.write_bytes(content)
        try:
            written = unpack(archive, folder / "into", everything)
        except LesionctlError:
            assert set(folder.iterdir()) == {archive}
        else:
            assert {path for path in folder.rglob("*") if path.is_file()} == {archive, *written}


# RAR and the programs that decompress it


def test_rar_without_its_package_says_what_to_install(tmp_path, into, monkeypatch):
    monkeypatch.setitem(sys.modules, "rarfile", None)
    with pytest.raises(MissingExtra, match="'rarfile'") as caught:
        unpack(make_rar5(tmp_path / "a.rar", PH2), into, everything)
    assert caught.value.hint == "pip install 'lesionctl[rar]'"


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """A folder with the only programs that there are."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(rarfile, "CURRENT_SETUP", None)
    return folder


def test_compressed_rar_without_a_program_says_what_to_install(tmp_path, programs, refused):
    error = refused(make_rar4(tmp_path / "a.rar", PH2, method=0x33), "no program", kind=LesionctlError)
    assert "unrar" in error.hint
    assert "give the folder" in error.hint


def install(programs, output):
    """A program of the name of unrar that prints the same whatever it is asked to unpack."""
    cat = shutil.which("cat", path=os.defpath)
    (programs / "output").write_bytes(output)
    (programs / "unrar").write_text(f'#!/bin/sh\n[ "$1" != p ] || exec {cat} {programs}/output\n')
    (programs / "unrar").chmod(0o755)


def test_compressed_rar_is_decompressed_by_the_program(tmp_path, programs, into):
    install(programs, PICTURE)
    unpack(make_rar4(tmp_path / "a.rar", {"a.bmp": PICTURE}, method=0x33), into, everything)
    assert contents(into) == {"a.bmp": PICTURE}


@pytest.mark.parametrize("output", [b"7-Zip: unsupported method", MASK * 5])
def test_program_that_cannot_decompress_is_not_believed(tmp_path, programs, refused, output):
    install(programs, output)
    archive = make_rar4(tmp_path / "a.rar", {"a.bmp": PICTURE}, method=0x33)
    assert "install unrar or unar" in refused(archive, "'a.bmp' cannot be read").hint


# The disk


def test_room_is_asked_for_before_anything_is_written(tmp_path, refused, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2000))
    archive = make_zip(tmp_path / "a.zip", {"a.jpg": bytes(2_500_000), "skipped.png": bytes(9_000_000)})
    error = refused(archive, "needs 2.4 MB", "2.0 KB are free", place=by_stem, kind=LesionctlError)
    assert "room" in error.hint


def test_file_that_cannot_be_written_is_named_and_the_others_are_removed(tmp_path, refused):
    archive = make_zip(tmp_path / "a", {"good.jpg": PICTURE, "a" * 300: MASK})
    with pytest.raises(LesionctlError, match=r"aaa… cannot be written \(File name too long\)"):
        unpack(archive, tmp_path / "into", everything)
    assert set(tmp_path.iterdir()) == {archive}


def test_folder_in_the_way_of_a_file_stays(tmp_path, into):
    (into / "b.jpg").mkdir(parents=True)
    with pytest.raises(LesionctlError, match="cannot be written"):
        unpack(make_zip(tmp_path / "a.zip", {"a.jpg": PICTURE, "b.jpg": MASK}), into, everything)
    assert list(into.rglob("*")) == [into / "b.jpg"]


def test_interrupt_removes_what_was_written(tmp_path, into):
    whole = []

    class Interrupting(Heard):
        def advance(self, steps=1):
            super().advance(steps)
            if self.bytes > len(PICTURE):
                whole.extend(path for path in into.rglob("*.jpg") if not path.name.startswith("."))
                raise KeyboardInterrupt

    (tmp_path / "made").mkdir()
    archive = make_zip(tmp_path / "a.zip", {"a.jpg": PICTURE, "deep/b.jpg": MASK, "c.jpg": MASK})
    with pytest.raises(KeyboardInterrupt):
        unpack(archive, into, everything, Interrupting())
    assert whole == [into / "a.jpg"]
    assert list((tmp_path / "made").iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "kill"), reason="there are no signals")
@pytest.mark.parametrize("after", [1, 3, 4, 8])
def test_kill_leaves_no_part_of_a_file_under_its_name_and_the_next_run_completes_it(tmp_path, into, after):
    files = {f"{i}.jpg": os.urandom(3 << 20) for i in range(3)}
    archive = make_zip(tmp_path / "a.zip", files, zipfile.ZIP_STORED)
    code = f"""
import os, signal
from contextlib import contextmanager
from pathlib import Path
from lesionctl.fetch.archive.extract import unpack

class Killer:
    heard = 0

    @contextmanager
    def task(self, description, total, unit):
        yield self

    def advance(self, steps=1):
        self.heard += 1
        if self.heard == {after}:
            os.kill(os.getpid(), signal.SIGKILL)

unpack(Path({str(archive)!r}), Path({str(into)!r}), str, Killer())
"""
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == -9
    visible = {name: content for name, content in contents(into).items() if not name.startswith(".")}
    assert visible == dict(list(files.items())[: (after - 1) // 3])
    unpack(archive, into, everything)
    assert {name: content for name, content in contents(into).items() if name.endswith(".jpg")} == files
