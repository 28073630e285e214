"""How much of a factor is left in arrays of embeddings: probes, dependence, verification, silhouettes, floors."""
