"""Random answers of models whose every word is known, and random texts of marks that belong to nothing.

A `Document` says what it holds: its words in their order, which of them stand in which code block, and which lines are units
that a reader wants whole. Words are numbered, so that each can be found again wherever it arrives. REMOTECLAW_FUZZ is the number
of cases of each property.
"""

import asyncio
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st

_CASES = int(os.environ.get("REMOTECLAW_FUZZ", "0"))
ODD = (
    *("", "", "", "é", "e\u0301\u0323", "👩‍👩‍👧", "🏳️‍🌈", "🇩🇪", "👍🏽"),
    *("אבג", "مرحبا", "漢字", "ｆｕｌｌ", "ﷺ", "\U0001d54f", "a\u200db"),
)
"""Ends of words: emoji of several characters, right to left, combining marks, beyond the basic plane."""
_NUMBERED = re.compile(r"w[0-9]{5}")
LANGUAGES = ("python", "c++", "objective-c", "js", "f#", "")
MARKS = (
    *("**", "*", "_", "__", "`", "``", "~~", "||", "\\", "\n", "\n\n", " ", "  \n", "\t"),
    *("```", "```python\n", "~~~\n", "````\n", "\n```\n", "> ", ">>> ", "# ", "-# ", "- ", "1. ", "- [ ] ", "    "),
    *("|", "|---|---|\n", "| a | b |\n", "---\n", "[a](https://example.org/x)", "[a](", "](", "![i](https://x.example/y.png)"),
    *("<b>", "</b>", "<!--", "<@1>", "@everyone", "https://example.org/?a=b_c_d", "[t](tg://user?id=1)", "$$", "\\(x^2\\)", "[^1]"),
    *("😀", "👩‍👩‍👧", "e\u0301", "\u202e", "\u200f", "\u200b", "\ufeff", "אבג ", "&amp;", "\x00", "\ud800", "\r", "\u2028"),
)  # fmt: skip
SOUPS = st.tuples(
    st.lists(
        st.one_of(st.sampled_from(MARKS), st.text(max_size=12), st.sampled_from(("word ", "w" * 300))), max_size=60
    ),
    st.integers(1, 40),
).map(lambda drawn: ("".join(drawn[0]) * drawn[1])[:20_000])
"""Everything unclosed, repeated until it is long."""


@dataclass
class Document:
    """A Markdown text with what it holds. `fences` are (language, words); `units` the words of lines that belong together."""

    text: str = ""
    words: list[str] = field(default_factory=list, repr=False)
    fences: list[tuple[str, list[str]]] = field(default_factory=list, repr=False)
    units: list[list[str]] = field(default_factory=list, repr=False)

    def make(self, count: int, odd: int) -> list[str]:
        """New words."""
        first = len(self.words)
        made = [f"w{n:05}{ODD[(n * 7 + odd) % len(ODD)]}" for n in range(first, first + count)]
        self.words += made
        return made


Build = Callable[[Document, int, int, int], str]
"""Makes a block of `lines` lines with `width` words each; `odd` varies it."""


def _paragraph(doc: Document, lines: int, width: int, odd: int) -> str:
    styles = ("{}", "**{}**", "*{}*", "`{}`", "[{}](https://example.org/a_b)", "~~{}~~", "||{}||", "{}.")
    told = []
    for line in range(lines):
        words = doc.make(width, odd + line)
        at = (odd + line) % len(words)
        words[at] = styles[(odd + line) % len(styles)].format(words[at])
        told.append(" ".join(words))
    return "\n".join(told)


def _list(doc: Document, lines: int, width: int, odd: int) -> str:
    items = []
    for line in range(lines):
        words = doc.make(width, odd + line)
        doc.units.append(list(words))
        depth = line % 3 if odd % 2 else 0
        items.append(f"{'  ' * depth}- {' '.join(words)}")
    return "\n".join(items)


def _numbered(doc: Document, lines: int, width: int, odd: int) -> str:
    items = []
    for line in range(1, lines + 1):
        words = doc.make(width, odd + line)
        doc.units.append(list(words))
        items.append(f"{line}. {' '.join(words)}")
    return "\n".join(items)


def _fence(doc: Document, lines: int, width: int, odd: int) -> str:
    language = LANGUAGES[odd % len(LANGUAGES)]
    rows = [doc.make(width, odd + line) for line in range(lines)]
    doc.fences.append((language, [word for row in rows for word in row]))
    code = [f"{'    ' * (line % 2)}{' '.join(row)}" for line, row in enumerate(rows)]
    if odd % 3 == 1:
        code = [f"`{line}`" for line in code]
    return "\n".join([f"```{language}", *code, "```"])


def _nested(doc: Document, lines: int, width: int, odd: int) -> str:
    """Code in which code is shown: a longer fence around a shorter one."""
    rows = [doc.make(min(width, 12), odd + line) for line in range(lines + 2)]
    doc.fences.append(("markdown", [word for row in rows for word in row]))
    head, *inner, tail = [" ".join(row) for row in rows]
    return "\n".join(["````markdown", head, "```python", *inner, "```", tail, "````"])


def _listed_code(doc: Document, lines: int, width: int, odd: int) -> str:
    """A step with its code below it."""
    step = f"1. {' '.join(doc.make(3, odd))}"
    rows = [doc.make(min(width, 12), odd + line) for line in range(lines)]
    doc.fences.append(("sh", [word for row in rows for word in row]))
    return "\n".join([step, "   ```sh", *(f"   {' '.join(row)}" for row in rows), "   ```"])


def _table(doc: Document, lines: int, width: int, odd: int) -> str:
    columns = max(2, min(width, 6))
    rows = [doc.make(columns, odd + line) for line in range(lines + 1)]
    doc.units += [list(row) for row in rows]
    told = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([told[0], f"|{'---|' * columns}", *told[1:]])


def _quote(doc: Document, lines: int, width: int, odd: int) -> str:
    return "\n".join(f"> {' '.join(doc.make(width, odd + line))}" for line in range(lines))


def _heading(doc: Document, lines: int, width: int, odd: int) -> str:
    return f"{'#' * (1 + odd % 6)} {' '.join(doc.make(min(width, 8), odd))}"


_SWALLOWED = (
    *("<{}>", "Vec<{}>", "</{}>", "<std::{}>", "<!-- {} -->", "<!{}>", "<?{}?>", "<i class={}>", "[{}](./{}.md)"),
    *("[{}](tg://user?id={})", "![{}](./{}.png)", "$5 <{}> $6", "$5 or $6 <{}>"),
)
"""Words that a reader of Markdown takes for something else than words."""
_SWALLOWED_IN_CELLS = (*_SWALLOWED, "${}^2$", "$${}$$", "[{}](https://example.org/{})")


def _swallowed(doc: Document, line: int, odd: int, forms: Sequence[str]) -> str:
    """Words in one of these forms. Names of tags are plain: no odd ends."""
    form = forms[(odd + line) % len(forms)]
    first = len(doc.words)
    words = [f"w{n:05}" for n in range(first, first + form.count("{}"))]
    doc.words += words
    return form.format(*words)


def _placeholders(doc: Document, lines: int, width: int, odd: int) -> str:
    told = []
    for line in range(lines):
        before = " ".join(doc.make(min(width, 12), odd + line)) if (odd + line) % 3 else ""
        told.append(f"{'- ' if odd % 2 else ''}{before} {_swallowed(doc, line, odd, _SWALLOWED)}".strip())
    return "\n".join(told)


def _table_of_placeholders(doc: Document, lines: int, width: int, odd: int) -> str:
    rows = [
        f"| {doc.make(1, odd + line)[0]} | {_swallowed(doc, line, odd, _SWALLOWED_IN_CELLS)} |" for line in range(lines)
    ]
    return "\n".join(["| | |", "|---|---|", *rows])


_BLOCKS: Sequence[Build] = (
    *(_paragraph, _list, _numbered, _fence, _nested, _listed_code, _table, _quote, _heading),
    *(_placeholders, _table_of_placeholders),
)


_PLANS = st.tuples(st.sampled_from(_BLOCKS), st.integers(1, 60), st.integers(1, 120), st.integers(0, 40))
_LARGE = st.tuples(
    st.sampled_from((_paragraph, _list, _numbered)), st.integers(1, 3), st.integers(1, 190), st.integers(0, 40)
)


@st.composite
def documents(draw: st.DrawFn, plans: st.SearchStrategy[tuple[Build, int, int, int]] = _PLANS) -> Document:
    """A well-formed answer of up to 20,000 characters."""
    doc = Document()
    parts: list[str] = []
    for build, lines, width, odd in draw(st.lists(plans, min_size=1, max_size=12)):
        grown = Document(words=list(doc.words), fences=list(doc.fences), units=list(doc.units))
        part = build(grown, lines, width, odd)
        if sum(map(len, parts)) + len(part) > 20_000:
            break
        parts.append(part)
        doc = grown
    if not parts:
        parts = doc.make(1, 0)
    doc.text = "\n\n".join(parts)
    return doc


def large_items(limit: int) -> st.SearchStrategy[Document]:
    """Answers whose paragraphs and list items nearly fill a message of this length; odd words have up to sixteen units."""
    widths = st.integers(1, limit // 11)
    return documents(
        st.tuples(st.sampled_from((_paragraph, _list, _numbered)), st.integers(1, 3), widths, st.integers(0, 40))
    )


def many_formats(count: int) -> Document:
    """A short list with so many words in code."""
    words = [f"w{n:05}" for n in range(count)]
    return Document(text="\n".join(f"- `{word}`" for word in words), words=words, units=[[word] for word in words])


def placeholders() -> Document:
    """Every form of words that a reader of Markdown takes for something else, in lines and in a table."""
    doc = Document()
    parts = [_placeholders(doc, len(_SWALLOWED), 2, 0)]
    parts.append(_table_of_placeholders(doc, len(_SWALLOWED_IN_CELLS), 2, 0))
    doc.text = "\n\n".join(parts)
    return doc


def paragraph_and_item(limit: int) -> Document:
    """A paragraph that fills 45 hundredths of a message, and a list item that fills 58."""
    paragraph, item = limit * 45 // 100 // 7, limit * 58 // 100 // 7
    words = [f"w{n:05}" for n in range(paragraph + item)]
    text = f"{' '.join(words[:paragraph])}\n\n- {' '.join(words[paragraph:])}"
    return Document(text=text, words=words, units=[words[paragraph:]])


def examples(count: int) -> settings:
    """So many cases; an example takes as long as the messages that it makes."""
    return settings(max_examples=_CASES or count, deadline=None)


def arrives(doc: Document, text: str) -> None:
    """Raises AssertionError unless the text has every word of the document, whole, once and in its place."""
    assert _NUMBERED.findall(text) == [word[:6] for word in doc.words]
    at = 0
    for word in doc.words:
        at = text.find(word, at)
        assert at >= 0, f"{word!r} does not arrive as it was written"


async def holds(claim: Callable[[], None]) -> None:
    """Run a property beside the loop that its examples use."""
    await asyncio.to_thread(claim)
