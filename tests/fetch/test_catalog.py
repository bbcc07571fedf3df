"""The table of what can be fetched, and tables of the same form."""

from __future__ import annotations

import re

import pytest

from lesionctl.errors import BadFile, UsageError
from lesionctl.fetch.catalog import BUNDLED_CATALOG, Kind, find_set, load_catalog
from lesionctl.fetch.request import parse_requests
from lesionctl.progress import format_bytes

CATALOG = load_catalog()
FILES = [file for entry in CATALOG.values() for file in entry.files]


def test_names_in_the_order_of_the_listing():
    assert list(CATALOG) == ["isic2016", "isic2017", "isic2018", "ham10000", "ph2", "demo"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_file_can_be_had_and_verified(file):
    assert all(re.match(r"https://[a-z0-9.-]+/[\w/.?=-]+$", address) for address in file.addresses)
    assert set(file.checksums) <= {"md5", "sha256"}
    assert file.checksums  # each has one that loaders agree on
    assert file.size is not None or file.name.startswith("HAM10000")


@pytest.mark.parametrize("file", [file for file in FILES if "ISIC" in file.name], ids=lambda file: file.name)
def test_isic_files_have_both_addresses(file):
    first, second = file.addresses
    year = re.search("201[678]", file.name)[0]
    assert first == f"https://isic-archive.s3.amazonaws.com/challenges/{year}/{file.name}"
    assert second == f"https://isic-challenge-data.s3.amazonaws.com/{year}/{file.name}"


@pytest.mark.parametrize(
    ("name", "files", "size", "exact"),
    [
        ("isic2016", 4, "842 MB", 0),
        ("isic2017", 6, "12.1 GB", 0),
        ("isic2018", 6, "12.9 GB", 6),
        ("ham10000", 4, None, 1),
        ("ph2", 1, "405 MB", 1),
        ("demo", 0, "0 bytes", 0),
    ],
)
def test_files_and_sizes_of_a_set(name, files, size, exact):
    entry = CATALOG[name]
    assert len(entry.files) == files
    assert sum(file.exact for file in entry.files) == exact
    assert entry.size is None if size is None else format_bytes(entry.size) == size


def test_sum_of_the_exact_sizes_of_2018():
    assert CATALOG["isic2018"].size == 11165358566 + 27402895 + 239231159 + 759706 + 2370457338 + 9680101


def test_the_doubtful_md5_is_not_written_down():
    (file,) = [file for file in FILES if file.name == "ISIC2018_Task1-2_Test_Input.zip"]
    assert set(file.checksums) == {"sha256"}


def test_every_split_has_pictures_and_masks():
    for entry in CATALOG.values():
        for part in entry.parts:
            kinds = {kind for piece in entry.select([part]) for kind in piece.kinds}
            assert {Kind.IMAGES, Kind.MASKS} <= kinds


@pytest.mark.parametrize(
    ("name", "splits"),
    [
        ("isic2016", {"train": 900, "test": 379}),
        ("isic2017", {"train": 2000, "val": 150, "test": 600}),
        ("isic2018", {"train": 2594, "val": 100, "test": 1000}),
        ("ham10000", {"all": 10015}),
        ("ph2", {"all": 200}),
        ("demo", {}),
    ],
)
def test_published_numbers_of_pictures(name, splits):
    assert CATALOG[name].splits == splits


def test_everything_has_terms_and_what_others_made_a_citation():
    for entry in CATALOG.values():
        assert entry.licence
        assert entry.attribution
        assert entry.citation or entry.name == "demo"


def test_papers_are_cited_by_their_keys_one_a_line():
    first, second = CATALOG["isic2018"].citation.splitlines()
    assert "arXiv:1902.03368" in first
    assert first.startswith("Codella N, Rotemberg V,")
    assert second.endswith("doi:10.1038/sdata.2018.161.")


@pytest.mark.parametrize(
    ("name", "parts", "masks_only", "expected"),
    [
        ("isic2018", [], False, 6),
        ("isic2018", ["train"], False, 2),
        ("isic2018", ["train", "test"], False, 4),
        ("isic2018", [], True, 3),
        ("isic2018", ["val"], True, 1),
        ("ham10000", [], True, 2),  # the masks, and the table that says which lesion is which
        ("ph2", [], True, 1),  # one archive holds both
    ],
)
def test_parts_and_masks_only(name, parts, masks_only, expected):
    pieces = CATALOG[name].select(parts, masks_only=masks_only)
    assert len(pieces) == expected
    assert any(Kind.IMAGES in piece.kinds for piece in pieces) is not masks_only


def test_parts_of_one_set_are_put_together():
    requests = parse_requests(CATALOG, ["isic2018:test", "ph2", "isic2018:train"])
    assert [(request.entry.name, request.parts) for request in requests] == [
        ("isic2018", ("test", "train")),
        ("ph2", ()),
    ]
    assert parse_requests(CATALOG, ["isic2018:test", "isic2018"])[0].parts == ()


@pytest.mark.parametrize(
    ("name", "what", "hint"),
    [
        ("isic2O18", "there is no set named 'isic2O18'", "did you mean 'isic2018'?"),
        ("zzz", "there is no set named 'zzz'", "known: isic2016, isic2017, isic2018, ham10000, ph2, demo"),
        ("isic2019", "isic2019 cannot be fetched: nobody has published lesion masks for it", None),
        ("isic2016:val", "isic2016 has no part 'val'", "its parts are train, test"),
        ("ham10000:train", "ham10000 has no part 'train'", "it has no official splits"),
        ("demo:train", "demo has no part 'train'", "it has no official splits"),
    ],
)
def test_what_is_not_in_the_table(name, what, hint):
    with pytest.raises(UsageError) as raised:
        parse_requests(CATALOG, [name])
    assert (raised.value.what, raised.value.hint) == (what, hint)


GOOD = """
[mine]
title = "Mine"
contents = "pictures"
licence = "CC0-1.0"
attribution = "Me"
citation = ""
splits = { all = 3 }
bases = ["http://mirror.example/isic"]
[[mine.files]]
name = "a.zip"
part = "all"
holds = "images"
size = "1.5 KB"
"""


def test_another_table_of_the_same_form(tmp_path):
    (tmp_path / "c.toml").write_text(GOOD)
    catalog = load_catalog(tmp_path / "c.toml")
    assert list(catalog) == ["mine", "demo"]  # the demo needs no server
    (file,) = find_set(catalog, "mine").files
    assert file.addresses == ("http://mirror.example/isic/a.zip",)
    assert (file.size, file.exact, dict(file.checksums)) == (1536, False, {})


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("[mine]", "[mine", "is no TOML file"),
        ('title = "Mine"\n', "", "lacks 'title'"),
        ('name = "a.zip"', 'name = "../a.zip"', "'../a.zip', which is no plain name"),
        ("http://mirror", "ftp://mirror", "no addresses of the form https://"),
        ('part = "all"', 'part = "training"', "part 'training' for a.zip, which is none of train, val, test, all"),
        ('holds = "images"', 'holds = "pictures"', "holds 'pictures' for a.zip, which is none of images, masks, both"),
        ('holds = "images"', 'holds = "both"', "needs the patterns images and masks for a.zip"),
        ('holds = "images"', 'holds = "metadata"', "metadata in a.zip, which is no .csv file"),
        ('size = "1.5 KB"', 'size = "many"', "size 'many' for a.zip"),
        ('size = "1.5 KB"', "size = -1", "size '-1' for a.zip"),
        ('size = "1.5 KB"', 'md5 = "12"', "md5 '12' for a.zip, which is not 32 hex digits"),
        ('size = "1.5 KB"', 'sha256 = "' + "x" * 64 + '"', "which is not 64 hex digits"),
        ('citation = ""\n', "", "lacks 'citation'"),
        ('citation = ""', 'citations = ["nobody1900"]', "cites 'nobody1900', which citations.toml does not have"),
        ("all = 3", "train = 3", "files of the parts ['all'], but splits ['train']"),
        ("[[mine.files]]", "[[mine.other]]", "has no files"),
        ("mine", "../mine", "is no TOML file"),
        ("mine", "Mine", "has a name that is not of small letters"),
    ],
)
def test_a_table_that_makes_no_sense_is_named(tmp_path, old, new, why):
    path = tmp_path / "c.toml"
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(BadFile) as raised:
        load_catalog(path)
    assert raised.value.path == path
    assert why in raised.value.reason


def test_two_files_of_one_name_are_refused(tmp_path):
    (tmp_path / "c.toml").write_text(GOOD + GOOD.replace("mine", "other"))
    with pytest.raises(BadFile, match=r"two files are called a\.zip"):
        load_catalog(tmp_path / "c.toml")


def test_a_table_that_is_missing(tmp_path):
    with pytest.raises(BadFile, match="cannot be read"):
        load_catalog(tmp_path / "none.toml")


def test_the_table_lies_in_the_package():
    assert BUNDLED_CATALOG.is_file()


@pytest.mark.parametrize(
    ("name", "stem"), [("a-1.0_b.zip", "a-1.0_b"), ("a.tar.gz", "a"), ("PH2.rar", "PH2"), ("a.tar", "a")]
)
def test_stem_of_an_archive(name, stem):
    from .conftest import remote_file

    assert remote_file(b"", name=name).stem == stem
