"""Models held against each other: paired differences, systems of several runs, what removal costs."""
