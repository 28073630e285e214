"""Several figures of a page as one picture."""

import re
from collections.abc import Sequence
from html import escape

from mien.reports.figures.heatmap import picture

GAP, TITLE = 24.0, 22.0  # CSS pixels


def sheet(rows: Sequence[tuple[str, Sequence[tuple[str, str]]]], description: str) -> str:
    """An SVG file of rows of figures, each below its title, if it has one; light or dark as the viewer is.

    Args:
        rows: title, and figures: the element `<svg ... viewBox="0 0 W H">`, as the functions of `mien.reports.figures`
            return it, and a line that stands below it, or "".
        description: what is seen, for those who do not see it.
    """
    parts, top, right = [], 0.0, 0.0
    for title, figures in rows:
        left, lowest = 0.0, 0.0
        if title:
            words = f'font-size="13" font-weight="600" fill="var(--ink)">{escape(title)}'
            parts.append(f'<text x="0" y="{top + 15:g}" {words}</text>')
            top += TITLE
        for element, caption in figures:
            width, height = map(float, re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', element)[0])
            place = f'<svg x="{left:g}" y="{top:g}" width="{width:g}" height="{height:g}" '
            parts.append(element.replace("<svg ", place, 1))
            if caption:
                words = f'font-size="12" fill="var(--muted)">{escape(caption)}'
                parts.append(f'<text x="{left:g}" y="{top + height + 15:g}" {words}</text>')
                height += TITLE
            left, lowest = left + width + GAP, max(lowest, height)
        top, right = top + lowest + GAP, max(right, left - GAP)
    head = f'<svg role="img" aria-label="{escape(description)}" viewBox="0 0 {right:g} {top - GAP:g}">'
    return picture(head + "".join(parts) + "</svg>") + "\n"
