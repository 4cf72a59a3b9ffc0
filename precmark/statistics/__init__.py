"""Statistical models of precision marketing, reported as their procedures report them."""
