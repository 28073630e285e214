"""How well emotions and other targets are recognised: by fold, by group, by listeners, on other corpora."""
