"""Layers that recipes and encoders share: pooling, batch normalisation, dropout, classifiers."""
