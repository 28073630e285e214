"""Whether a split leaks: split manifests, comparison of clips by their sound, findings, and the certificate."""
