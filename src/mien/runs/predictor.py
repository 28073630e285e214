"""What answers windows of media files: one model (`Ensemble`), or one of voices and one of faces (`LateFusion`)."""

from mien.runs.ensemble import Ensemble
from mien.runs.late_fusion import LateFusion

Predictor = Ensemble | LateFusion
