"""Train the small models that come along; never imported by the product."""
