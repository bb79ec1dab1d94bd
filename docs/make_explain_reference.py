"""Write the table of known errors in ``docs/explain.md`` from the rules: ``python docs/make_explain_reference.py``."""

from __future__ import annotations

from pathlib import Path

from imageai_envs.explain.rules import Rule, shipped_rules

TARGET = Path(__file__).with_name("explain.md")
HEADING = "## Known errors\n"


def render() -> str:
    """Return the whole page with its last section written again."""
    before = TARGET.read_text(encoding="utf-8").partition(HEADING)[0]
    lines = ["Written by `python docs/make_explain_reference.py`; do not edit.", ""]
    topic = ""
    for rule in shipped_rules():
        if rule.topic != topic:
            topic = rule.topic
            lines += ["", f"### {topic}", "", "| rule | part of its text | affects | seen |", "|---|---|---|---|"]
        lines.append(_row(rule))
    text = "\n".join(lines).replace("\n\n\n", "\n\n")
    return f"{before}{HEADING}\n{text}\n"


def _row(rule: Rule) -> str:
    text = max((pattern.literal for pattern in rule.patterns), key=len).strip().replace("|", "\\|").replace("`", "")
    links = " ".join(f"[{number}]({link.removeprefix('docs/')})" for number, link in enumerate(rule.links, 1))
    return f"| `{rule.id}`{' (warning)' if rule.warning else ''} | `{text}` | {rule.versions} | {links} |"


if __name__ == "__main__":
    TARGET.write_text(render(), encoding="utf-8")
