"""From the bytes of a media file to waveforms and pictures. Nothing here knows about emotion."""
