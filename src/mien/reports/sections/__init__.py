"""The sections of the page: a module that collects, and a template of the same name that shows."""
