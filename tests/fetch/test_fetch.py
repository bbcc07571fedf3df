"""The way of a whole set, as a function: from a server, from the cache, from what a person has."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lesionctl.errors import BadFile, Interrupted, LesionctlError, SomeInputsFailed, UsageError
from lesionctl.fetch import sets
from lesionctl.fetch.catalog import load_catalog
from lesionctl.fetch.fetch import fetch
from lesionctl.fetch.listing import cached_parts, describe
from lesionctl.fetch.request import FetchOptions, parse_requests
from lesionctl.paths import downloads_directory, set_directory
from lesionctl.progress import Silent

from .conftest import QUICK, contents, make_zip


class Listener(Silent):
    def __init__(self):
        self.said, self.warned = [], []

    def say(self, message):
        self.said.append(message)

    def warn(self, message):
        self.warned.append(message)


@pytest.fixture
def listener():
    return Listener()


@pytest.fixture
def run(listener):
    """Fetch by names from a catalog."""

    def call(tiny, *names, **options):
        catalog = load_catalog(tiny if isinstance(tiny, Path) else tiny.catalog)
        return fetch(parse_requests(catalog, names), FetchOptions(policy=QUICK, **options), progress=listener)

    return call


def test_a_set_comes_into_the_cache_whole(make_set, run, listener, server):
    tiny = make_set()
    haul = run(tiny, "tiny")
    haul.raise_errors()
    (found,) = haul.sets
    assert found.directory == set_directory("tiny")
    assert (found.images, found.masks, haul.total) == (5, 5, 4)
    assert contents(found.directory / "images") == tiny.images
    assert contents(found.directory / "masks") == tiny.masks
    assert contents(downloads_directory()) == tiny.archives
    rows = (found.directory / "metadata.csv").read_text().splitlines()
    assert rows == ["image_id,split", *(f"ISIC_{n:07d},{'train' if n < 3 else 'test'}" for n in range(5))]
    assert "to load" in listener.said[0]  # before anything is loaded
    assert "to unpack tiny" in listener.said[0]
    assert listener.warned == []


def test_a_second_fetch_does_nothing(make_set, run, listener, server):
    tiny = make_set()
    run(tiny, "tiny")
    before = len(server.log)
    haul = run(tiny, "tiny")
    assert (haul.sets[0].images, haul.errors, len(server.log)) == (5, {}, before)
    assert "there is nothing to do" in listener.said[-1]


def test_parts_are_added(make_set, run, server):
    tiny = make_set()
    run(tiny, "tiny:test")
    assert set(contents(set_directory("tiny") / "images")) == {"ISIC_0000003.jpg", "ISIC_0000004.jpg"}
    assert cached_parts(load_catalog(tiny.catalog)["tiny"]) == {"test": "unpacked"}
    run(tiny, "tiny:train")
    assert contents(set_directory("tiny") / "images") == tiny.images
    assert sorted(request.path for request in server.log) == sorted(f"/{name}" for name in tiny.archives)


def test_masks_only(make_set, run):
    tiny = make_set()
    haul = run(tiny, "tiny", masks_only=True)
    assert (haul.sets[0].images, haul.sets[0].masks) == (0, 5)
    assert not (set_directory("tiny") / "images").exists()
    assert set(contents(downloads_directory())) == {"tiny_Training_GroundTruth.zip", "tiny_Test_GroundTruth.zip"}


def test_to_a_folder_of_ones_own(make_set, run, tmp_path):
    tiny = make_set()
    assert run(tiny, "tiny", to=tmp_path / "here" / "tiny").sets[0].directory == tmp_path / "here" / "tiny"
    assert contents(tmp_path / "here" / "tiny" / "images") == tiny.images
    assert not set_directory("tiny").exists()


def test_archives_are_dropped_when_asked(make_set, run):
    tiny = make_set()
    run(tiny, "tiny", drop_archives=True)
    assert contents(downloads_directory()) == {}
    assert contents(set_directory("tiny") / "images") == tiny.images
    assert run(tiny, "tiny", drop_archives=True).errors == {}


def test_a_file_that_fails_is_named_and_the_others_are_done(make_set, run, server):
    tiny = make_set()
    del server.files["/tiny_Test_Input.zip"]
    haul = run(tiny, "tiny")
    with pytest.raises(SomeInputsFailed, match=r"(?s)1 of 4.*tiny_Test_Input\.zip: .* answers 404 Not Found"):
        haul.raise_errors()
    assert (haul.sets[0].images, haul.sets[0].masks) == (3, 5)
    assert cached_parts(load_catalog(tiny.catalog)["tiny"]) == {"train": "unpacked", "test": "partly"}


def test_nothing_at_all(make_set, run, server):
    tiny = make_set()
    server.files.clear()
    haul = run(tiny, "tiny")
    assert haul.sets == []
    with pytest.raises(LesionctlError, match="nothing could be fetched") as raised:
        haul.raise_errors()
    assert raised.value.exit_code == 1
    assert not set_directory("tiny").exists()


def test_an_archive_that_is_damaged_though_it_is_the_catalogs_is_named(make_set, run):
    tiny = make_set(spoil="tiny_Test_Input.zip")
    haul = run(tiny, "tiny")
    assert set(haul.errors) == {"tiny_Test_Input.zip"}
    assert haul.sets[0].images == 3


def test_offline_uses_what_is_in_the_cache_and_names_what_is_not(make_set, run, server):
    tiny = make_set()
    run(tiny, "tiny:train")
    shutil.rmtree(set_directory("tiny"))
    before = len(server.log)
    haul = run(tiny, "tiny", offline=True)
    assert set(haul.errors) == {"tiny_Test_Input.zip", "tiny_Test_GroundTruth.zip"}
    assert all("is not in the cache, and with --offline" in error.what for error in haul.errors.values())
    assert haul.sets[0].images == 3
    assert len(server.log) == before


def test_offline_does_not_take_a_damaged_file(make_set, run):
    tiny = make_set()
    downloads_directory().mkdir(parents=True)
    for name, content in tiny.archives.items():
        (downloads_directory() / name).write_bytes(content if "Truth" in name else content[:-1] + b"?")
    haul = run(tiny, "tiny:train", offline=True)
    assert "is not the file that it should be: its SHA256 is" in haul.errors["tiny_Training_Input.zip"].what


def test_a_size_that_nobody_knows_is_told(make_set, run, listener, server):
    tiny = make_set()
    lines = [line for line in tiny.catalog.read_text().splitlines() if not line.startswith("size")]
    tiny.catalog.write_text("\n".join(lines))
    run(tiny, "tiny").raise_errors()
    total = sum(map(len, tiny.archives.values()))
    assert f"{total / 1024:.1f} KB to load" in listener.said[0]  # the server was asked
    assert [request.start for request in server.log].count(0) == 4


def test_a_disk_that_is_too_small_is_refused_before_anything_is_loaded(make_set, run, server, monkeypatch):
    tiny = make_set()
    usage = shutil.disk_usage(".")._replace(free=30_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(LesionctlError, match=r"too small: 27\.\d KB to load, 27\.\d KB to unpack tiny, and 29.3 KB"):
        run(tiny, "tiny")
    assert server.log == []
    assert run(tiny, "tiny:test", to=None, masks_only=True).errors == {}  # less is needed, and that fits


# what a person has already


@pytest.fixture
def archives(make_set, tmp_path):
    """The archives of the tiny set in a folder, and no server that has them."""
    tiny = make_set(addresses=("http://127.0.0.1:9/",))
    (tmp_path / "mine").mkdir()
    for name, content in tiny.archives.items():
        (tmp_path / "mine" / name).write_bytes(content)
    return tiny, tmp_path / "mine"


def test_from_a_folder_of_archives(archives, run, listener):
    tiny, mine = archives
    haul = run(tiny, "tiny", sources=(mine,))
    haul.raise_errors()
    assert contents(set_directory("tiny") / "images") == tiny.images
    assert not downloads_directory().exists()  # they are used where they are
    assert listener.warned == []


def test_from_single_archives_names_what_is_missing(archives, run):
    tiny, mine = archives
    haul = run(tiny, "tiny", sources=(mine / "tiny_Training_Input.zip", mine / "tiny_Training_GroundTruth.zip"))
    assert set(haul.errors) == {"tiny_Test_Input.zip", "tiny_Test_GroundTruth.zip"}
    assert all("and with --from nothing is downloaded" in error.what for error in haul.errors.values())
    assert (haul.sets[0].images, haul.sets[0].masks) == (3, 3)


def test_from_unpacked_folders(archives, run, listener):
    tiny, mine = archives
    for name in tiny.archives:
        shutil.unpack_archive(mine / name, mine)
        (mine / name).unlink()
    shutil.rmtree(mine / "__MACOSX")
    haul = run(tiny, "tiny", sources=(mine,))
    haul.raise_errors()
    assert contents(set_directory("tiny") / "images") == tiny.images
    assert contents(set_directory("tiny") / "masks") == tiny.masks
    assert len(listener.warned) == 4
    assert "unverified" in listener.warned[0]
    assert (mine / "tiny_Test_Input" / "ISIC_0000003.jpg").exists()  # copied, not moved


def test_from_an_archive_that_is_not_the_published_one(archives, run):
    tiny, mine = archives
    (mine / "tiny_Test_Input.zip").write_bytes(make_zip({"ISIC_9.jpg": b""}))
    haul = run(tiny, "tiny", sources=(mine,))
    assert "is not the file that was published: it has" in haul.errors["tiny_Test_Input.zip"].what
    assert haul.sets[0].images == 3


def test_from_a_path_that_holds_nothing_of_it(archives, run, tmp_path):
    tiny, mine = archives
    (tmp_path / "holiday.zip").write_bytes(b"")
    for paths in [(tmp_path / "holiday.zip",), (mine, tmp_path / "holiday.zip")]:
        with pytest.raises(UsageError, match=r"holiday\.zip holds no file of what is to be fetched"):
            run(tiny, "tiny", sources=paths)
    with pytest.raises(UsageError, match="there is no file or folder"):
        run(tiny, "tiny", sources=(tmp_path / "nowhere",))


def ph2_members(count=3):
    top = "PH2Dataset/PH2 Dataset images"
    return {
        name: f"{n}".encode()
        for n in range(count)
        for name in (
            f"{top}/IMD{n:03}/IMD{n:03}_Dermoscopic_Image/IMD{n:03}.bmp",
            f"{top}/IMD{n:03}/IMD{n:03}_lesion/IMD{n:03}_lesion.bmp",
            f"{top}/IMD{n:03}/IMD{n:03}_roi/IMD{n:03}_R1_Label3.bmp",
        )
    }


@pytest.mark.parametrize("as_folder", [False, True])
def test_ph2_from_what_its_owner_sent_under_any_name(run, listener, tmp_path, as_folder):
    from lesionctl.fetch.catalog import BUNDLED_CATALOG

    mine = tmp_path / "from_porto.zip"
    mine.write_bytes(make_zip(ph2_members()))
    if as_folder:
        shutil.unpack_archive(mine, tmp_path / "unpacked")
        mine = tmp_path / "unpacked"
    haul = run(BUNDLED_CATALOG, "ph2", sources=(mine,))
    haul.raise_errors()
    assert sorted(contents(set_directory("ph2") / "images")) == ["IMD000.bmp", "IMD001.bmp", "IMD002.bmp"]
    assert sorted(contents(set_directory("ph2") / "masks"))[0] == "IMD000_lesion.bmp"
    assert listener.warned == [
        f"{mine} is not PH2.zip as published: it is taken as it is, unverified",
        "ph2:all has 3 images, where 200 were published",
        "ph2:all has 3 masks, where 200 were published",
    ]


def test_ham10000_from_a_folder_with_one_part_missing(run, tmp_path, listener):
    from lesionctl.fetch.catalog import BUNDLED_CATALOG

    (tmp_path / "ham" / "HAM10000_images_part_1").mkdir(parents=True)
    (tmp_path / "ham" / "HAM10000_images_part_1" / "ISIC_0024306.jpg").write_bytes(b"1")
    haul = run(BUNDLED_CATALOG, "ham10000", sources=(tmp_path / "ham",))
    assert set(haul.errors) == {
        "HAM10000_images_part_2.zip",
        "HAM10000_segmentations_lesion_tschandl.zip",
        "HAM10000_metadata.csv",
    }
    assert haul.sets[0].images == 1
    assert not any("were published" in text for text in listener.warned)  # not all parts are here


# the rest


@pytest.mark.parametrize(
    ("names", "options", "why"),
    [
        (["tiny", "demo"], {"to": Path("x")}, "--to takes one set"),
        (["demo"], {"masks_only": True}, "leave --masks-only out"),
        (["demo"], {"sources": (Path(),)}, "leave --from out"),
    ],
)
def test_options_that_do_not_go_together(make_set, run, names, options, why):
    with pytest.raises(UsageError, match=why):
        run(make_set(), *names, **options)


def test_the_demo_goes_into_the_cache_once(make_set, run, listener):
    tiny = make_set()
    first = run(tiny, "demo", count=2).sets[0]
    assert (first.directory, first.images) == (set_directory("demo"), 2)
    assert (first.directory / "LICENCE.txt").read_text().startswith("Demo\n\nLicence: MIT\n")
    stamp = (first.directory / "metadata.csv").stat().st_mtime_ns
    run(tiny, "demo", count=2)
    assert (first.directory / "metadata.csv").stat().st_mtime_ns == stamp
    assert "there is nothing to do" in listener.said[-1]
    run(tiny, "demo", count=3, seed=1)  # another one takes its place
    assert len(contents(first.directory / "images")) == 3
    assert describe(load_catalog()["demo"])["cached"] == {"all": "unpacked"}


def test_the_demo_does_not_go_over_something_else(make_set, run, tmp_path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(LesionctlError, match="mine exists already"):
        run(make_set(), "demo", to=tmp_path / "mine")
    (tmp_path / "file").write_text("")
    with pytest.raises(LesionctlError, match="nothing can be written to"):
        run(make_set(), "demo", to=tmp_path / "file" / "demo")


def test_the_set_goes_into_nothing_else(make_set, run, tmp_path, server):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("")
    with pytest.raises(LesionctlError, match="holds something else"):
        run(make_set(), "tiny", to=tmp_path / "mine")
    assert server.log == []


def test_encoders_come_with_their_terms_and_one_that_fails_does_not_stop_the_sets(make_set, run, monkeypatch, listener):
    from types import ModuleType, SimpleNamespace

    asked = []

    def fetch_encoder(name, progress, *, offline):
        asked.append((name, offline))
        if name == "bad":
            raise LesionctlError("the hub cannot be reached", hint="fetch it elsewhere")
        return SimpleNamespace(path=Path(f"/cache/{name}.safetensors"))

    module = ModuleType("lesionctl.fetch.encoder")
    module.fetch_encoder = fetch_encoder
    monkeypatch.setitem(__import__("sys").modules, "lesionctl.fetch.encoder", module)
    tiny = make_set()
    requests = parse_requests(load_catalog(tiny.catalog), ["tiny:test"])
    haul = fetch(requests, FetchOptions(offline=False, policy=QUICK), encoders=["good", "bad"], progress=listener)
    assert asked == [("good", False), ("bad", False)]
    assert [encoder.path.stem for encoder in haul.encoders] == ["good"]
    assert haul.sets[0].images == 2
    with pytest.raises(SomeInputsFailed, match=r"(?s)1 of 4.*bad: the hub cannot be reached"):
        haul.raise_errors()
    alone = fetch([], FetchOptions(offline=True), encoders=["bad"])
    with pytest.raises(LesionctlError, match="the hub cannot be reached") as raised:
        alone.raise_errors()
    assert raised.value.hint == "fetch it elsewhere"


def test_an_interrupt_is_no_failure(make_set, run, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(sets, "transfer", interrupt)
    with pytest.raises(Interrupted) as raised:
        run(make_set(), "tiny")
    assert raised.value.exit_code == 75


def test_a_fault_of_a_thread_is_heard(make_set, run, monkeypatch):
    from lesionctl.fetch.network.download import Download

    def fail(self):
        raise RuntimeError("a fault")

    monkeypatch.setattr(Download, "run", fail)
    with pytest.raises(RuntimeError, match="a fault"):
        run(make_set(), "tiny")


def test_one_file_that_fails_alone_says_why(make_set, run, server):
    tiny = make_set()
    server.files.clear()
    haul = run(tiny, "tiny:test", masks_only=True)
    with pytest.raises(BadFile, match=r"tiny_Test_GroundTruth\.zip: 127\.0\.0\.1:\d+ answers 404 Not Found"):
        haul.raise_errors()
