"""Model Markdown and plain words as Discord's Markdown. Pure text to text."""

import re

_DELIMITER = re.compile(r"\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)+\|?\s*")
_DEEP_HEADING = re.compile(r"#{4,6}(?=\s)")
_EDGE = re.compile(r"`{3,}")
_URL = r"(?P<url>https?://[^\s<]+)"
_MARK = r"(?P<mark>[*`]|(?<![^\W_])_|_(?![^\W_])|~(?=~)|(?<=~)~|\|(?=\|)|(?<=\|)\||\[(?=[^\]\n]*\]\()|\\(?=[^\w\s]))"
_SPECIAL = re.compile(f"{_URL}|{_MARK}")
_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")
_NAME = 80
_LINE_START = re.compile(r"^(?P<indent>[^\S\n]*)(?P<sign>#{1,3}(?=\s)|>|-#)", re.MULTILINE)


def model_markdown(text: str) -> str:
    """A model's answer: Discord reads the same Markdown, except tables (shown as aligned code) and headings below the third."""
    lines = text.split("\n")
    done: list[str] = []
    fenced = False
    at = 0
    while at < len(lines):
        line = lines[at]
        if not fenced and "|" in line and at + 1 < len(lines) and _DELIMITER.fullmatch(lines[at + 1]):
            end = at + 2
            while end < len(lines) and "|" in lines[end]:
                end += 1
            done += ["```", *_aligned([lines[at], *lines[at + 2 : end]]), "```"]
            at = end
            continue
        fenced ^= len(_EDGE.findall(line)) % 2 == 1
        done.append(line if fenced else _DEEP_HEADING.sub("###", line, count=1) if line.startswith("####") else line)
        at += 1
    return "\n".join(done)


def plain_text(text: str) -> str:
    """Words that are meant as they stand: what Discord would take for its Markdown is escaped, and nothing else, so that
    `rate_limit` and `a/b@c:d` stay as they are. Addresses stay clickable."""
    marked = _SPECIAL.sub(lambda found: found["url"] or "\\" + found["mark"], text)
    return _LINE_START.sub(r"\g<indent>\\\g<sign>", marked)


def plain_name(name: str) -> str:
    """A person's name as they cannot make it mean anything: no mention, no link, no mark, no line of its own, no hidden sign."""
    visible = "".join(sign for sign in " ".join(name.split()) if sign.isprintable())[:_NAME].strip()
    return _PUNCTUATION.sub(r"\\\g<0>", visible) or "Somebody"


def _aligned(rows: list[str]) -> list[str]:
    """Table rows as columns of equal width, with a line under the head."""
    cells = [
        [cell.strip().replace("```", "'''") for cell in re.split(r"(?<!\\)\|", row.strip().strip("|"))] for row in rows
    ]
    width = max(len(row) for row in cells)
    filled = [row + [""] * (width - len(row)) for row in cells]
    widths = [max(len(row[column]) for row in filled) for column in range(width)]
    lines = ["  ".join(cell.ljust(size) for cell, size in zip(row, widths, strict=True)).rstrip() for row in filled]
    return [lines[0], "  ".join("-" * size for size in widths), *lines[1:]]
