"""Store: where bytes live; one adapter per kind of store behind tasks.ports.Store."""
