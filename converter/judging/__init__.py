"""What a model computes, found out by running it: the judge of every pass and of the layout."""
