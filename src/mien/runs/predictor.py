"""What answers windows of media files: one model (`OneModel`), or one of voices and one of faces (`LateFusion`)."""

from mien.runs.late_fusion import LateFusion
from mien.runs.one_model import OneModel

Predictor = OneModel | LateFusion
