"""CREMA-D in HiCMAE's five folds of actors (Sun et al. 2024); no actor is in two of them.

Actors in the order of their numbers: 18 a fold, and 19 in the last. Fold 0 is HiCMAE's split01. HiCMAE leaves clips out
whose films are broken; here they stay, where they have a label.
"""

TITLE = "CREMA-D in HiCMAE's five folds of actors"
READER = "crema_d"
SOURCE = "Sun et al. 2024, HiCMAE, Information Fusion 108, 102382 (github.com/sunlicai/HiCMAE)"
USED = "HiCMAE, with voice and face"
VALIDATION = "names no validation part"
FOLDS = tuple(
    tuple(str(actor) for actor in range(first, last + 1))
    for first, last in ((1001, 1018), (1019, 1036), (1037, 1054), (1055, 1072), (1073, 1091))
)
