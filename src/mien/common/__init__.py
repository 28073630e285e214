"""What every room may use and that knows none of them: settings, files, progress, workers, processes, tables."""
