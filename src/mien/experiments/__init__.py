"""Experiments that come with mien: a YAML file each, with its provenance, its cost and the score to expect.

What li2020 assumes where the paper is silent: the weights of the multitask model's two tasks; the factor on the
reversed gradient, and that it has no schedule; that a copy at another speed has another pitch too. The paper
normalises neither by speaker nor by clip and says nothing of the training set's frames: nothing is normalised.
"""
