"""What a browser would find in a page, read without one."""

from html.parser import HTMLParser


class Reader(HTMLParser):
    """Collects the text of a page and everything that its attributes refer to."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text, self.tags, self.references, self.ids = "", [], [], []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.text += " "
        self.tags.append(tag)
        self.references += [(tag, value or "") for name, value in attrs if name in ("src", "href", "xlink:href")]
        self.ids += [value for name, value in attrs if name == "id"]

    def handle_data(self, data: str) -> None:
        self.text += data

    @property
    def words(self) -> str:
        return " ".join(self.text.split())
