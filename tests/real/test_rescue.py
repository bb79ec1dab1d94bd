"""The recipe that people copy, against the real index: it cannot be installed, and what comes nearest to it works."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.tool import tool

pytestmark = [pytest.mark.real, pytest.mark.timeout(1200)]


def test_the_recipe_that_people_copy() -> None:
    recipe = "tensorflow==2.10.0\nimageai==2.1.6\nopencv-python==4.7.0\n"
    Path("requirements.txt").write_text(recipe, encoding="utf-8")
    answer = tool("rescue", "requirements.txt", "--name", "clean", "--json")
    assert answer.code == 0, answer.out + answer.err
    data = answer.json()["data"]
    assert [(problem["place"], problem["nearest"]) for problem in data["problems"]] == [
        ("line 2", "imageai==2.1.6 with its own pins set aside"),
        ("line 3", "opencv-python==4.7.0.72"),
    ]
    assert data["requirements"] == ["opencv-python==4.7.0.72"]
    assert data["created"]["verification"]["answer"]["stage"] == "done"
    packages = tool("show", "clean", "--json").json()["data"]["packages"]
    pinned = [packages[name] for name in ("tensorflow-cpu", "imageai", "opencv-python")]
    assert pinned == ["2.10.0", "2.1.6", "4.7.0.72"]
