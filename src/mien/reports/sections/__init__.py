"""The sections of the page: each is a module that collects the values, and a template of the same name."""
