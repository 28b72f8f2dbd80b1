"""Bootstrap: what a process needs, opened once from settings and closed together."""
