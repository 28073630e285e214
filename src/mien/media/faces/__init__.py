"""Faces in pictures: found, followed, cut out, and who of them speaks."""
