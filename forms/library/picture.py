"""Draws the sample's photos, so that no picture of a real place or person is shipped."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from io import BytesIO
from random import Random

from PIL import Image, ImageDraw, ImageFilter, ImageFont

from forms.library.sample import Photo, Scene

SIZE = (640, 480)
HORIZON = 300
LABEL = "FOTO SINTETIS / SYNTHETIC PHOTO"

Colour = tuple[int, int, int]

WALLS: tuple[Colour, ...] = ((226, 196, 150), (176, 205, 190), (214, 170, 160), (190, 195, 220), (232, 220, 184))
ROOFS: tuple[Colour, ...] = ((168, 82, 60), (120, 88, 74), (96, 110, 120), (150, 60, 70))
CLOTHS: tuple[Colour, ...] = ((200, 70, 60), (52, 120, 140), (220, 160, 60), (70, 120, 80))
INK: Colour = (60, 60, 70)


def picture(photo: Photo) -> bytes:
    """A JPEG of 640 x 480 for `photo`, always the same for the same photo, marked synthetic in plain sight."""
    rng = Random(zlib.crc32(photo.name.encode()))
    image = Image.new("RGB", SIZE)
    SCENES[photo.scene](image, rng)
    image = _grain(image, rng)
    _caption(image, photo.caption)
    file = BytesIO()
    image.save(file, "JPEG", quality=84, optimize=True)
    return file.getvalue()


def _workplace(image: Image.Image, rng: Random) -> None:
    draw = ImageDraw.Draw(image)
    _sky(draw, rng)
    _ground(draw, (176, 160, 134))
    _tree(draw, rng, 560)
    wall, roof = rng.choice(WALLS), rng.choice(ROOFS)
    left = rng.randint(90, 140)
    draw.rectangle((left, 170, left + 360, 360), fill=wall, outline=INK)
    draw.polygon([(left - 30, 172), (left + 180, 80), (left + 390, 172)], fill=roof, outline=INK)
    draw.rectangle((left + 40, 220, left + 110, 360), fill=(110, 78, 52), outline=INK)
    draw.rectangle((left + 170, 215, left + 310, 290), fill=(150, 196, 214), outline=INK)
    draw.line((left + 240, 215, left + 240, 290), fill=INK, width=3)
    _table(draw, rng, left + 150, 330)


def _stall(image: Image.Image, rng: Random) -> None:
    draw = ImageDraw.Draw(image)
    _sky(draw, rng)
    _ground(draw, (160, 156, 150))
    _tree(draw, rng, 80)
    left, cloth = rng.randint(170, 230), rng.choice(CLOTHS)
    for post in (left, left + 260):
        draw.rectangle((post, 150, post + 10, 380), fill=(110, 84, 60))
    for stripe in range(10):
        colour = cloth if stripe % 2 else (245, 240, 230)
        x = left - 25 + stripe * 32
        draw.polygon([(x, 150), (x + 32, 150), (x + 26, 205), (x - 6, 205)], fill=colour)
    draw.rectangle((left - 10, 270, left + 280, 350), fill=rng.choice(WALLS), outline=INK)
    _table(draw, rng, left, 270)
    for wheel in (left + 40, left + 230):
        draw.ellipse((wheel - 28, 345, wheel + 28, 401), outline=INK, width=5)


def _road(image: Image.Image, rng: Random) -> None:
    draw = ImageDraw.Draw(image)
    _sky(draw, rng)
    _ground(draw, (128, 156, 104))
    draw.polygon([(290, HORIZON), (350, HORIZON), (540, 480), (100, 480)], fill=(150, 148, 146))
    for row in range(14):
        y = HORIZON + int(180 * (row / 14) ** 1.5)
        spread = (y - HORIZON) / 180
        draw.line((290 - 190 * spread, y, 350 + 190 * spread, y), fill=(120, 118, 116), width=1 + row // 5)
    draw.polygon([(270, HORIZON), (282, HORIZON), (78, 480), (30, 480)], fill=(96, 128, 140))
    for step, x in enumerate((420, 500, 590)):
        wall = WALLS[(rng.randrange(5) + step) % 5]
        draw.rectangle((x, 240 - step * 22, x + 84, HORIZON + 30 * step), fill=wall, outline=INK)
    _tree(draw, rng, 120)


def _office(image: Image.Image, rng: Random) -> None:
    draw = ImageDraw.Draw(image)
    _sky(draw, rng)
    _ground(draw, (190, 186, 176))
    draw.rectangle((80, 180, 560, 370), fill=rng.choice(WALLS), outline=INK)
    draw.rectangle((60, 150, 580, 185), fill=rng.choice(ROOFS), outline=INK)
    for x in range(110, 540, 90):
        draw.rectangle((x, 220, x + 46, 300), fill=(160, 200, 214), outline=INK)
    draw.rectangle((290, 270, 350, 370), fill=(100, 76, 56), outline=INK)
    draw.line((600, 90, 600, 380), fill=INK, width=5)
    draw.rectangle((530, 92, 598, 112), fill=(200, 40, 40))
    draw.rectangle((530, 112, 598, 132), fill=(245, 245, 245))


def _document(image: Image.Image, rng: Random) -> None:
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, *SIZE), fill=rng.choice(((120, 88, 62), (92, 104, 96), (140, 120, 100))))
    for grain in range(0, 480, 9):
        draw.line((0, grain, 640, grain + rng.randint(-6, 6)), fill=(104, 80, 58), width=1)
    left = rng.randint(130, 170)
    draw.rectangle((left + 8, 28, left + 348, 448), fill=(40, 32, 26))
    draw.rectangle((left, 20, left + 340, 440), fill=(248, 244, 230), outline=(180, 170, 150))
    draw.rectangle((left + 60, 48, left + 280, 62), fill=INK)
    for line in range(11):
        y = 92 + line * 28
        draw.line((left + 24, y + 14, left + 316, y + 14), fill=(200, 196, 186))
        for x in range(left + 30, left + 300 - rng.randint(0, 120), 26):
            draw.line((x, y + 8, x + rng.randint(10, 22), y + rng.randint(4, 11)), fill=(50, 60, 110), width=2)
    draw.rectangle((left + 30, 88, left + 150, 108), fill=(20, 20, 20))
    draw.ellipse((left + 220, 350, left + 310, 430), outline=(130, 60, 140), width=4)


SCENES: dict[Scene, Callable[[Image.Image, Random], None]] = {
    Scene.WORKPLACE: _workplace,
    Scene.STALL: _stall,
    Scene.ROAD: _road,
    Scene.OFFICE: _office,
    Scene.DOCUMENT: _document,
}


def _sky(draw: ImageDraw.ImageDraw, rng: Random) -> None:
    warmth = rng.randint(0, 40)
    for y in range(HORIZON):
        pale = y * 90 // HORIZON
        draw.line((0, y, SIZE[0], y), fill=(120 + pale + warmth, 170 + pale * 2 // 3, min(255, 214 + pale // 3)))
    for _ in range(3):
        x, y = rng.randint(0, 560), rng.randint(20, 100)
        for puff in range(4):
            draw.ellipse((x + puff * 26, y - puff % 2 * 12, x + puff * 26 + 56, y + 30), fill=(244, 246, 248))


def _ground(draw: ImageDraw.ImageDraw, colour: Colour) -> None:
    for y in range(HORIZON, SIZE[1]):
        dark = (y - HORIZON) // 7
        draw.line((0, y, SIZE[0], y), fill=(colour[0] - dark, colour[1] - dark, colour[2] - dark))


def _tree(draw: ImageDraw.ImageDraw, rng: Random, x: int) -> None:
    draw.rectangle((x - 7, 190, x + 7, 340), fill=(104, 76, 52))
    for _ in range(14):
        dx, dy = rng.randint(-55, 35), rng.randint(-60, 30)
        shade = rng.randint(-20, 20)
        draw.ellipse((x + dx, 150 + dy, x + dx + 48, 150 + dy + 44), fill=(70 + shade, 130 + shade, 74 + shade))


def _table(draw: ImageDraw.ImageDraw, rng: Random, left: int, top: int) -> None:
    draw.rectangle((left, top, left + 230, top + 12), fill=(134, 100, 68), outline=INK)
    for item in range(6):
        x, height = left + 12 + item * 36, rng.randint(16, 38)
        draw.rectangle((x, top - height, x + 26, top), fill=rng.choice(CLOTHS + WALLS), outline=INK)


def _grain(image: Image.Image, rng: Random) -> Image.Image:
    """Softened, with the noise of a cheap camera: a drawing alone would be unlike a photo in size."""
    noise = Image.frombytes("L", SIZE, rng.randbytes(SIZE[0] * SIZE[1])).filter(ImageFilter.GaussianBlur(1.2))
    soft = image.filter(ImageFilter.GaussianBlur(0.7))
    return Image.blend(soft, Image.merge("RGB", (noise, noise, noise)), 0.13)


def _caption(image: Image.Image, words: str) -> None:
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, SIZE[0], 34), fill=(150, 30, 30))
    draw.text((SIZE[0] / 2, 17), LABEL, font=ImageFont.load_default(20), fill=(255, 255, 255), anchor="mm")
    draw.rectangle((0, SIZE[1] - 38, SIZE[0], SIZE[1]), fill=(20, 26, 30))
    draw.text((16, SIZE[1] - 19), words, font=ImageFont.load_default(18), fill=(240, 240, 240), anchor="lm")
