"""From a prepared corpus to batches: clips, folds, feature stores, examples, padding, masks, normalisation."""
