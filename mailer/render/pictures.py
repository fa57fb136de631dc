"""Pictures as they travel with a mail, and where they are on the web."""

from collections.abc import Iterable

from mailer.feeds.model import Picture
from mailer.links import Links
from mailer.render.message import Image


def travelling(picture: Picture, domain: str) -> Image:
    """The picture of an entry. Its Content-ID is the same in all mails of `domain`."""
    # the handle is nobody's but the picture's, and so is the Content-ID
    return Image(f"bild-{picture.handle:016x}@{domain}", picture.media_type, picture.data)


def on_the_web(
    links: Links, logo: Image | None, pictures: Iterable[Picture], domain: str
) -> dict[str, Image]:
    """The images of an issue by the addresses that pages show them from."""
    found = {links.picture(picture.handle): travelling(picture, domain) for picture in pictures}
    return found | ({links.logo(): logo} if logo else {})
