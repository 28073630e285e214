"""Is a split leaky: manifests read, clips held against each other, findings, the certificate."""
