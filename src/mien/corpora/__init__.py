"""A folder on disk to a table of clips: readers, schemes of classes, canonical names, the toy corpus."""
