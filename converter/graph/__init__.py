"""What passes and planning need to know of a graph, and the moves they make on it."""
