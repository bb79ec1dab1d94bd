"""The comparison of what a trained model found with what it should: it must see what is missing, moved or invented."""

from __future__ import annotations

import pytest
from real_model import Found, differences

EXPECTED: list[Found] = [("person", 95.0, [42, 290, 211, 1021]), ("person", 61.6, [200, 432, 343, 892])]
WHERE = "real model: bus.jpg at 416 pixels: "


def compare(*found: Found) -> list[str]:
    objects = [{"name": name, "probability": probability, "box": box} for name, probability, box in found]
    return differences({"416": {"bus.jpg": objects}}, {"416": {"bus.jpg": EXPECTED}})


def test_the_same_objects_in_any_order_within_the_tolerance() -> None:
    assert compare(("person", 61.68, [201, 431, 343, 892]), ("person", 94.93, [42, 290, 211, 1020])) == []


@pytest.mark.parametrize(
    "found", [("bus", 95.0, EXPECTED[0][2]), ("person", 95.2, EXPECTED[0][2]), ("person", 95.0, [42, 290, 213, 1021])]
)
def test_another_name_probability_or_box_is_another_object(found: Found) -> None:
    missing, invented = compare(found, EXPECTED[1])
    assert missing == WHERE + "no person 95.00 at [42, 290, 211, 1021]"
    assert invented == WHERE + f"also {found[0]} {found[1]:.2f} at {found[2]}"


def test_none_at_all() -> None:
    assert len(compare()) == 2
