"""Figures as inline SVG: what is drawn on a page."""
