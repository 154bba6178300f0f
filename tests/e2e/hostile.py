"""Names that want to be more than names, and what a reader of each platform sees of a text that has them.

Every hostile string has a word of its own (`h01q` and so on), by which it is found wherever it comes up; there it must stand
literally. Discord's reader is a model of its own of that Markdown: what would be drawn, not what was sent.
"""

import re
from collections.abc import Callable, Iterator

NAMES = (
    *("@everyone h01q", "@here h02q", "<@&1> h03q", "<@1> h04q", "<@!1> h05q", "<#1> h06q", "<t:1:R> h07q", "<:h08q:1> h08q"),
    *("</h09q:1>", "[h10q](https://evil.example/h10q)", "[h11q](tg://user?id=1)", "# h12q", "-# h13q", "> h14q", ">>> h15q"),
    *("||h16q||", "**h17q** __h17q__", "~~h18q~~ *h18q* _h18q_", "``h19q``` `h19q`", "```h20q", "<b>h21q</b>&lt;h21q"),
    *("_*[]()~`>#+-=|{}.! h22q \\*h22q\\_", "https://discord.gg/h23q", "$h24q ${h24q} %h24q%", "tg://user?id=1 h25q"),
    *("![h26q](https://evil.example/h26q.png)", "\\", "a\\`h27q`b", "[h28q][1]", "***h29q***", "$$h30q$$ ^h30q^ {{h30q}}"),
)  # fmt: skip
"""Possible as ids and labels: on one line, printable."""
UNPRINTABLE = (
    "\u202eh40q\u202c",
    "h41q\u200b@everyone",
    "\u2066h42q\u2069",
    "h43q\n# h43q\n@everyone",
    "h44q\ufeff\u200d**h44q**",
)
"""Possible in a person's name, in what somebody types, in what a provider says."""
_WORD = re.compile(r"h[0-9]{2}q")
_UNSEEN = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufffd\u00ad]")


def plain(text: str) -> str:
    """Without blanks and what cannot be seen: the one may be taken out, or stand in the place of the other. A backtick may be
    shown by the sign that looks like it."""
    return "".join(_UNSEEN.sub("", text.replace("\N{MODIFIER LETTER GRAVE ACCENT}", "`")).split())


def distorted(shown: str, names: tuple[str, ...] = NAMES + UNPRINTABLE) -> list[str]:
    """Words of hostile strings that stand in a shown text without the whole string around them."""
    rest = plain(shown)
    for name in sorted((plain(name) for name in names if _WORD.search(name)), key=len, reverse=True):
        rest = rest.replace(name, "")
    return _WORD.findall(rest)


def on_discord(content: str) -> str:
    """What a reader of Discord sees: marks taken as marks, mentions and the like as ⟦…⟧."""
    return "".join(_drawn(content, at_line_start=True))


_BODY = r"((?:\\.|[^\\])+?)"
_MASKED = re.compile(r"\[((?:\\.|[^\[\]\\])+)\]\(\s*<?(?:https?|discord|tg|mailto|tel):[^\s)]*>?\)")
_SPANS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"```(?:[\w+.#-]+\n|\n)?(.*?)```", re.DOTALL), lambda m: m[1]),
    (re.compile(r"(`+)(?!`)(.*?[^`])\1(?!`)", re.DOTALL), lambda m: m[2]),
    (re.compile(r"\\([^0-9A-Za-z\s])"), lambda m: m[1]),
    (re.compile(r"<(?:@[!&]?|#)\d+>|<t:-?\d+(?::\w)?>|</[^:<>]+:\d+>|<a?:\w+:\d+>|<id:\w+>"), lambda m: "⟦special⟧"),
    (re.compile(r"<(https?://[^\s<>]+)>"), lambda m: m[1]),
    (_MASKED, lambda m: f"⟦link⟧{on_discord(m[1])}"),
    (re.compile(r"https?://[^\s<]*[^\s<.,:;\"'\])]"), lambda m: m[0]),
    (re.compile(rf"\*\*\*{_BODY}\*\*\*", re.DOTALL), lambda m: on_discord(m[1])),
    (re.compile(rf"\*\*{_BODY}\*\*(?!\*)", re.DOTALL), lambda m: on_discord(m[1])),
    (re.compile(rf"__{_BODY}__(?!_)", re.DOTALL), lambda m: on_discord(m[1])),
    (re.compile(rf"~~{_BODY}~~(?!_)", re.DOTALL), lambda m: on_discord(m[1])),
    (re.compile(rf"\|\|{_BODY}\|\|", re.DOTALL), lambda m: on_discord(m[1])),
    (re.compile(r"\*(?=\S)((?:\*\*|\\.|[^\\*])+?)\*(?!\*)", re.DOTALL), lambda m: on_discord(m[1])),
    (re.compile(r"(?<![0-9A-Za-z])_((?:__|\\.|[^\\_])+?)_(?![0-9A-Za-z])", re.DOTALL), lambda m: on_discord(m[1])),
)
_LINE_SIGN = re.compile(r"(?:#{1,3}|-#|>|>>>)[ \t]+")


def _drawn(text: str, at_line_start: bool) -> Iterator[str]:
    at = 0
    while at < len(text):
        if at_line_start and (sign := _LINE_SIGN.match(text, at)):
            at = sign.end()
            at_line_start = False
            continue
        for pattern, show in _SPANS:
            if found := pattern.match(text, at):
                yield show(found)
                at = found.end()
                break
        else:
            yield text[at]
            at += 1
        at_line_start = text[at - 1] == "\n"
