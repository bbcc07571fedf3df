"""The sheet shows what should be looked at first, in bounded memory, with nothing hidden."""

from __future__ import annotations

import io
import shutil

import numpy as np
import pytest
from PIL import Image as Pillow

from lesionctl.dataset.marks import Made, mark, mark_of
from lesionctl.errors import LesionctlError, UsageError
from lesionctl.imaging.frame import Frame
from lesionctl.imaging.resize_rule import ResizeRule
from lesionctl.predict.contact_sheet import ContactSheet, draw_thumbnail

SIZE = 64
SKIN = (220, 180, 160)
CELL_WIDTH, CELL_HEIGHT, MARGIN, HEAD = 264, 246, 18, 36  # 192 and a frame of 4, and two lines of 21 and 4
AMBER = (213, 94, 0)


def thumbnail(shade):
    return np.full((192, 256, 3), shade, np.uint8)


def read(path):
    with Pillow.open(io.BytesIO(path.read_bytes())) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture.convert("RGB"))


def cells(path, count, columns):
    """The shade in the middle of each picture, and the colour of its frame."""
    sheet = read(path)
    found = []
    for number in range(count):
        row, column = divmod(number, columns)
        top = HEAD + MARGIN + row * (CELL_HEIGHT + MARGIN)
        left = MARGIN + column * (CELL_WIDTH + MARGIN)
        found.append((int(sheet[top + 100, left + 130, 0]), tuple(map(int, sheet[top + 1, left + 1]))))
    return found


def test_flagged_pictures_come_first_the_least_certain_before_the_others(tmp_path):
    sheet = ContactSheet(tmp_path / "sheet.png")
    sheet.add(thumbnail(10), "a.jpg", (), 0.1)
    sheet.add(thumbnail(20), "b.jpg", ("very small",), 0.9)
    sheet.add(thumbnail(30), "c.jpg", (), 0.05)
    sheet.add(thumbnail(40), "d.jpg", ("very small",), 0.3)
    sheet.write()
    assert cells(tmp_path / "sheet.png", 4, 4) == [
        (40, AMBER),
        (20, AMBER),
        (10, (255, 255, 255)),
        (30, (255, 255, 255)),
    ]


def test_only_the_asked_number_is_shown_and_kept(tmp_path):
    sheet = ContactSheet(tmp_path / "new" / "sheet.png", most=7)
    for shade in range(100):
        sheet.add(thumbnail(shade), f"{shade}.jpg", ("low confidence",) if shade % 20 == 5 else (), 1 - shade / 100)
        assert len(sheet._cells) <= 7
    sheet.write()
    shades = [shade for shade, _ in cells(tmp_path / "new" / "sheet.png", 7, 6)]
    assert shades == [85, 65, 45, 25, 5, 0, 1]
    assert read(tmp_path / "new" / "sheet.png").shape == (
        HEAD + MARGIN + 2 * (CELL_HEIGHT + MARGIN),
        MARGIN + 6 * (CELL_WIDTH + MARGIN),
        3,
    )


def test_of_more_flagged_pictures_than_fit_the_least_certain_are_shown(tmp_path):
    sheet = ContactSheet(tmp_path / "sheet.png", most=2)
    for shade, confidence in ((10, 0.8), (20, 0.2), (30, None), (40, 0.5)):
        sheet.add(thumbnail(shade), "x.jpg", ("several regions",), confidence)
    sheet.write()
    assert [shade for shade, _ in cells(tmp_path / "sheet.png", 2, 2)] == [30, 20]


@pytest.mark.parametrize("name", ["a.jpg", "x" * 300, "Läsion_λ_\udcff.jpg", "two\nlines.jpg", ""])
@pytest.mark.parametrize("flags", [(), ("several regions",), ("several regions", "very small", "unlike the training")])
def test_any_name_and_flags_are_written_within_the_cell(name, flags, tmp_path):
    sheet = ContactSheet(tmp_path / "sheet.png")
    sheet.add(thumbnail(90), name, flags)
    sheet.write()
    page = read(tmp_path / "sheet.png")
    assert page.shape == (HEAD + MARGIN + CELL_HEIGHT + MARGIN, MARGIN + CELL_WIDTH + MARGIN, 3)
    assert (page[:, -MARGIN:] == 255).all()
    assert (page[-MARGIN:] == 255).all()
    below = page[HEAD + MARGIN + 200 : -MARGIN]
    assert bool(below.min() < 120) is bool(name or flags)


def test_without_a_picture_there_is_no_sheet(tmp_path):
    ContactSheet(tmp_path / "sheet.png").write()
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_to_is_named_before_any_work(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(LesionctlError, match=r"sheet\.png cannot be written"):
        ContactSheet(tmp_path / "file" / "sheet.png")


def test_a_place_that_goes_meanwhile_is_named(tmp_path):
    sheet = ContactSheet(tmp_path / "folder" / "sheet.png")
    sheet.add(thumbnail(1), "a.jpg", ())
    shutil.rmtree(tmp_path / "folder")
    with pytest.raises(LesionctlError, match=r"sheet\.png cannot be written"):
        sheet.write()


def test_one_process_at_a_time_writes_a_sheet(tmp_path):
    sheet = ContactSheet(tmp_path / "sheet.png")
    with pytest.raises(LesionctlError, match="another process is writing"):
        ContactSheet(tmp_path / "sheet.png")
    sheet.write()
    ContactSheet(tmp_path / "sheet.png").write()


@pytest.mark.parametrize("rule", list(ResizeRule))
@pytest.mark.parametrize(
    ("shape", "shown"), [((300, 400), (192, 256)), ((400, 100), (192, 48)), ((90, 900), (26, 256))]
)
def test_thumbnail_has_the_picture_s_proportions_and_its_outline(rule, shape, shown):
    frame = Frame.fit(*shape, SIZE, rule)
    view = frame.shrink(np.full((*shape, 3), SKIN, np.uint8))
    mask = np.zeros(shape, bool)
    mask[shape[0] // 4 : 3 * shape[0] // 4, shape[1] // 4 : 3 * shape[1] // 4] = True
    plain, outlined = (draw_thumbnail(view, frame, m) for m in (np.zeros_like(mask), mask))
    assert plain.shape == outlined.shape == (192, 256, 3)
    is_skin = (plain == SKIN).all(axis=-1)
    rows, columns = np.flatnonzero(is_skin.any(axis=1)), np.flatnonzero(is_skin.any(axis=0))
    assert (rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1) == shown
    assert abs(rows[0] + rows[-1] - 191) <= 1
    changed = np.argwhere((plain != outlined).any(axis=-1))
    middle, extent = changed.mean(axis=0), np.ptp(changed, axis=0)
    assert middle == pytest.approx((95.5, 127.5), abs=1.5)
    assert extent == pytest.approx((shown[0] / 2, shown[1] / 2), abs=7)  # the line is thick


def test_a_sheet_replaces_a_sheet_and_no_other_picture(tmp_path):
    path = tmp_path / "look.png"
    for _ in range(2):
        sheet = ContactSheet(path)
        sheet.add(thumbnail(9), "a", ())
        sheet.write()
        assert mark_of(path) is Made.CONTACT_SHEET
    theirs = io.BytesIO()
    Pillow.fromarray(thumbnail(9)).save(theirs, "PNG")
    for content in (theirs.getvalue(), mark(theirs.getvalue(), Made.MASK)):
        path.write_bytes(content)
        with pytest.raises(UsageError, match="exists already and is no contact sheet of this program"):
            ContactSheet(path)
        assert path.read_bytes() == content
