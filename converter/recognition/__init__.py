"""What several nodes compute together, found out by evaluating or reading them."""
