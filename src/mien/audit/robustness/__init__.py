"""How models answer when a modality is missing: scores, confidence, and which of two drops is the smaller.

`counted` holds what all of it is computed from and reads it from a run; `conditions` is the table of scores, `graceful`
compares drops, `gains` compares two models under one condition, as a claim of a paper does.
"""
