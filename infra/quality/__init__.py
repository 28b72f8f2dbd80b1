"""Great Expectations: the judge of every measured image, and its reports."""
